package dynamo

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// streamed is the record of a stream for a write from one item to another.
func streamed(name string, before, after item) (r StreamRecord) {
	r.ID, r.Name, r.Change.At = "e1", name, "1800000000.5"
	r.Change.Old, r.Change.New = image(before), image(after)
	for _, it := range []item{before, after} {
		if it != nil {
			r.Change.Keys = image{partitionKey: it[partitionKey], sortKey: it[sortKey]}
		}
	}
	return r
}

func stateItem(subject ledger.Subject, with item) item {
	it := stateKey(ledger.SubjectKey(subject))
	maps.Copy(it, with)
	return it
}

// A write is known from the images, and a delete by the sweep is nothing new.
func TestStreamRecord(t *testing.T) {
	ann := ledger.Subject{Kind: ledger.UserSubject, ID: "u_ann"}
	r := fixtureRecord(t)
	made, noted, renewed := encodeRecord(r), encodeRecord(r), encodeRecord(r)
	noted["why"], renewed["wn"] = text(replayed), octets(make([]byte, 16))
	state := func(epoch int, disabled bool) item {
		return stateItem(ann, item{"epoch": number(epoch), "disabled": flag(disabled), "sb": text("u_ann"), "why": text("roles disabled")})
	}
	raise := func(before, after oauth.SubjectState) *oauth.Raise {
		return &oauth.Raise{Subject: ann, Before: before, After: after, Why: []oauth.Cause{oauth.RolesChanged, oauth.UserDisabled}}
	}
	swept := streamed("REMOVE", made, nil)
	swept.Identity.Principal = "dynamodb.amazonaws.com"
	for _, test := range []struct {
		name   string
		record StreamRecord
		want   oauth.Write
	}{
		{"made", streamed("INSERT", nil, made), oauth.Write{Made: &r}},
		{"renewed", streamed("MODIFY", made, renewed), oauth.Write{}},
		{"noted", streamed("MODIFY", made, noted), oauth.Write{}},
		{"ended", streamed("REMOVE", made, nil), oauth.Write{Ended: &r}},
		{"replayed", streamed("REMOVE", noted, nil), oauth.Write{Ended: &r, Replayed: true}},
		{"swept", swept, oauth.Write{}},
		{"first raise", streamed("INSERT", nil, state(1, false)), oauth.Write{Raised: raise(oauth.SubjectState{}, oauth.SubjectState{Epoch: 1})}},
		{"raise", streamed("MODIFY", state(1, false), state(2, true)), oauth.Write{Raised: raise(oauth.SubjectState{Epoch: 1}, oauth.SubjectState{Epoch: 2, Disabled: true})}},
		{"another change of a state", streamed("MODIFY", state(1, false), state(1, true)), oauth.Write{}},
		{"forgotten", streamed("REMOVE", state(1, true), nil), oauth.Write{}},
		{"an item of a later release", streamed("INSERT", nil, subjectKey(ledger.SubjectKey(ann), "L#x")), oauth.Write{}},
	} {
		got, err := test.record.Write()
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		test.want.ID, test.want.At = "e1", 1_800_000_000
		if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b ledger.Record) bool {
			return cmp.Equal(encodeRecord(a), encodeRecord(b), cmp.AllowUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberB{}, types.AttributeValueMemberL{}, types.AttributeValueMemberM{}))
		})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// An edited item is not announced, and no value of it is in the error.
func TestStreamRecordsThatCannotBeRead(t *testing.T) {
	const canary = "u_CANARY"
	edited := encodeRecord(fixtureRecord(t))
	edited[attrSubject] = text(canary)
	of := func(subject string) item { return item{"epoch": number(1), "sb": text(subject)} }
	ann := ledger.Subject{Kind: ledger.UserSubject, ID: "u_ann"}
	withoutTime := streamed("REMOVE", encodeRecord(fixtureRecord(t)), nil)
	withoutTime.Change.At = ""
	withoutID := streamed("REMOVE", encodeRecord(fixtureRecord(t)), nil)
	withoutID.ID = ""
	for name, r := range map[string]StreamRecord{
		"a record that was edited":        streamed("INSERT", nil, edited),
		"deleted after it was edited":     streamed("REMOVE", edited, nil),
		"a state of somebody else":        streamed("INSERT", nil, stateItem(ann, of(canary))),
		"a state without its subject":     streamed("INSERT", nil, stateItem(ann, item{"epoch": number(1)})),
		"a state without its epoch":       streamed("INSERT", nil, stateItem(ann, item{"sb": text("u_ann")})),
		"a state that would be swept":     streamed("INSERT", nil, stateItem(ann, item{"epoch": number(1), "sb": text("u_ann"), "ttl": number(1)})),
		"a state that was damaged":        streamed("MODIFY", stateItem(ann, item{"epoch": text(canary)}), stateItem(ann, of("u_ann"))),
		"a state whose why is not a text": streamed("INSERT", nil, stateItem(ann, item{"epoch": number(1), "sb": text("u_ann"), "why": number(1)})),
		"no time":                         withoutTime,
		"an id that all would have":       withoutID,
	} {
		w, err := r.Write()
		if err == nil || w != (oauth.Write{}) {
			t.Errorf("%s: %+v, %v", name, w, err)
		} else if strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The JSON of DynamoDB comes back as the item, without types that fob never writes.
func TestStreamImage(t *testing.T) {
	var got image
	err := json.Unmarshal([]byte(`{"a":{"S":""},"b":{"N":"1"},"c":{"B":"AQI="},"d":{"BOOL":false},"e":{"L":[{"S":"x"}]},"f":{"M":{"g":{"N":"2"}}},
		"h":{"NULL":true},"i":{"SS":["x"]},"j":{"L":[{"NULL":true}]}}`), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := image{"a": text(""), "b": number(1), "c": octets([]byte{1, 2}), "d": flag(false), "e": texts([]string{"x"}),
		"f": &types.AttributeValueMemberM{Value: item{"g": number(2)}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberB{},
		types.AttributeValueMemberBOOL{}, types.AttributeValueMemberL{}, types.AttributeValueMemberM{})); diff != "" {
		t.Errorf("image (-want +got):\n%s", diff)
	}
	for _, bad := range []string{`{"a":1}`, `{"a":{"B":"!"}}`, `{"a":{"L":[1]}}`, `[]`} {
		if json.Unmarshal([]byte(bad), new(image)) == nil {
			t.Errorf("%s passes", bad)
		}
	}
}
