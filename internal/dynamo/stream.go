package dynamo

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// StreamRecord is a record of the stream of the tokens table, with both images, as Lambda
// hands it over.
type StreamRecord struct {
	ID       string `json:"eventID"`
	Name     string `json:"eventName"` // INSERT, MODIFY or REMOVE
	Identity struct {
		Principal string `json:"principalId"`
	} `json:"userIdentity"` // of the sweep alone
	Change struct {
		At       json.Number `json:"ApproximateCreationDateTime"` // Unix seconds
		Sequence string      `json:"SequenceNumber"`
		Keys     image       `json:"Keys"`
		New      image       `json:"NewImage"`
		Old      image       `json:"OldImage"`
	} `json:"dynamodb"`
}

// sweeper is who deletes what has a ttl that has passed.
const sweeper = "dynamodb.amazonaws.com"

// Write returns what the write did. An error means that the items are not as fob writes
// them, and that another try would end alike. It names no value.
func (r StreamRecord) Write() (oauth.Write, error) {
	w := oauth.Write{ID: r.ID}
	at, err := r.Change.At.Float64()
	if err != nil || w.ID == "" {
		return oauth.Write{}, errors.New("a record of a stream without its id or its time")
	}
	w.At = int64(at)
	before, after := item(r.Change.Old), item(r.Change.New)
	switch sort := item(r.Change.Keys).identity()[1]; {
	case sort == stateSort && after != nil:
		w.Raised, err = raiseOf(before, after)
	case strings.HasPrefix(sort, recordPrefix) && r.Name == "INSERT":
		w.Made, err = recordOf(after)
	case strings.HasPrefix(sort, recordPrefix) && r.Name == "REMOVE" && r.Identity.Principal != sweeper:
		w.Ended, err = recordOf(before)
		in := reader{item: before}
		w.Replayed = in.text(attrWhy) == replayed
	}
	if err != nil {
		return oauth.Write{}, err
	}
	return w, nil
}

func recordOf(it item) (*ledger.Record, error) {
	r, ok := recordInPlace(it)
	if !ok {
		return nil, fmt.Errorf("the item %q was edited", it.identity())
	}
	return &r, nil
}

// raiseOf is nil if the epoch was not raised.
func raiseOf(before, after item) (*oauth.Raise, error) {
	var raise oauth.Raise
	var err error
	if before != nil {
		if raise.Before, err = decodeState(before); err != nil {
			return nil, err
		}
	}
	if raise.After, err = decodeState(after); err != nil {
		return nil, err
	}
	if raise.After.Epoch <= raise.Before.Epoch {
		return nil, nil //nolint:nilnil // nothing that others ask about
	}
	in := reader{item: after}
	raise.Subject = oauth.SubjectOf(in.text(attrSubject))
	if stateKey(ledger.SubjectKey(raise.Subject)).identity() != after.identity() {
		return nil, fmt.Errorf("the item %q does not name its subject", after.identity())
	}
	for _, cause := range strings.Fields(in.text(attrWhy)) {
		raise.Why = append(raise.Why, oauth.Cause(cause))
	}
	return &raise, in.fault()
}

// image is an item in the JSON of DynamoDB.
type image item

// UnmarshalJSON leaves out attributes of types that fob never writes.
func (i *image) UnmarshalJSON(text []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil || all == nil {
		return err
	}
	*i = image{}
	for name, raw := range all {
		value, err := attributeOf(raw)
		if err != nil {
			return err
		}
		if value != nil {
			(*i)[name] = value
		}
	}
	return nil
}

func attributeOf(raw json.RawMessage) (types.AttributeValue, error) {
	var v struct {
		S, N *string
		B    *[]byte
		BOOL *bool
		L    *[]json.RawMessage
		M    image
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, errors.New("an attribute that is not in the JSON of DynamoDB")
	}
	switch {
	case v.S != nil:
		return text(*v.S), nil
	case v.N != nil:
		return &types.AttributeValueMemberN{Value: *v.N}, nil
	case v.B != nil:
		return octets(*v.B), nil
	case v.BOOL != nil:
		return flag(*v.BOOL), nil
	case v.M != nil:
		return &types.AttributeValueMemberM{Value: v.M}, nil
	case v.L != nil:
		list := make([]types.AttributeValue, 0, len(*v.L))
		for _, raw := range *v.L {
			value, err := attributeOf(raw)
			if err != nil || value == nil {
				return nil, err
			}
			list = append(list, value)
		}
		return &types.AttributeValueMemberL{Value: list}, nil
	}
	return nil, nil
}
