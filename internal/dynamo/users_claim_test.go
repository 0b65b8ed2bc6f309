package dynamo_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
)

// usersOver are the users of the fixture, asked through a network.
func usersOver(f *dynamotest.Fixture, endpoint string, network http.RoundTripper) *dynamo.Users {
	cfg := dynamotest.Config(endpoint)
	cfg.HTTPClient = &http.Client{Transport: network}
	return dynamo.NewUsers(dynamo.NewClient(cfg), f.Tables.Users)
}

// claimed sets when the item of an id was written.
func claimed(t *testing.T, f *dynamotest.Fixture, id string, ago time.Duration) {
	t.Helper()
	_, err := f.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &f.Tables.Users, Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "id#" + id}},
		UpdateExpression:          aws.String("SET cr = :then"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":then": &types.AttributeValueMemberN{Value: fmt.Sprint(time.Now().Add(-ago).Unix())}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func wantNames(t *testing.T, f *dynamotest.Fixture, want ...string) {
	t.Helper()
	all, err := oauth.AllUsers(t.Context(), f.Users)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, u := range all {
		names = append(names, u.Username)
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("users %q, want %q", names, want)
	}
}

// Two first logins of one person under two names: the first has written the item of the id
// and is about to save the user.
func TestAnIDIsClaimed(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		f := dynamotest.New(t, endpoint)
		ann, anna := oauth.User{Username: "ann", ID: "u_17"}, oauth.User{Username: "anna", ID: "u_17"}
		if _, err := usersOver(f, endpoint, new(oneWrite)).SaveUser(t.Context(), ann); err == nil {
			t.Fatal("both writes were made")
		}
		if _, err := f.Users.SaveUser(t.Context(), anna); !errors.Is(err, oauth.ErrConflict) {
			t.Errorf("a second name at the same moment: %v", err)
		}
		if _, err := f.Users.SaveUser(t.Context(), ann); err != nil {
			t.Error(err)
		}
		wantNames(t, f, "ann")

		// The request has ended, and the user was not saved.
		if _, err := f.Users.RemoveUser(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		if _, err := usersOver(f, endpoint, new(oneWrite)).SaveUser(t.Context(), ann); err == nil {
			t.Fatal("both writes were made")
		}
		claimed(t, f, "u_17", time.Minute+2*time.Second)
		if _, err := f.Users.SaveUser(t.Context(), anna); err != nil {
			t.Error(err)
		}
		wantNames(t, f, "anna")
	})
}

// afterRead lets something happen after the first read of several items.
type afterRead struct{ then func() }

func (a *afterRead) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetItem") && a.then != nil {
		then := a.then
		a.then = nil
		then()
	}
	return answer, err
}

// The first name comes back while the second one takes over what it had left.
func TestAnIDIsClaimedMeanwhile(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		f := dynamotest.New(t, endpoint)
		ann, anna := oauth.User{Username: "ann", ID: "u_17"}, oauth.User{Username: "anna", ID: "u_17"}
		if _, err := usersOver(f, endpoint, new(oneWrite)).SaveUser(t.Context(), ann); err == nil {
			t.Fatal("both writes were made")
		}
		claimed(t, f, "u_17", time.Hour)
		network := &afterRead{func() {
			if _, err := f.Users.SaveUser(t.Context(), ann); err != nil {
				t.Error(err)
			}
		}}
		if _, err := usersOver(f, endpoint, network).SaveUser(t.Context(), anna); !errors.Is(err, oauth.ErrConflict) {
			t.Errorf("the second name: %v", err)
		}
		wantNames(t, f, "ann")
	})
}

// replyLost passes all on, and loses the reply of the second update.
type replyLost struct{ updates int }

func (l *replyLost) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+update) {
		if l.updates++; l.updates == 2 {
			_ = answer.Body.Close()
			return nil, errors.New("lost")
		}
	}
	return answer, err
}

func TestAnIDThatWasLeftOverAndAReplyThatIsLost(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		f := dynamotest.New(t, endpoint)
		if _, err := usersOver(f, endpoint, new(oneWrite)).SaveUser(t.Context(), oauth.User{Username: "ann", ID: "u_17"}); err == nil {
			t.Fatal("both writes were made")
		}
		claimed(t, f, "u_17", time.Hour)
		network := new(replyLost)
		_, err := usersOver(f, endpoint, network).SaveUser(t.Context(), oauth.User{Username: "anna", ID: "u_17"})
		if err != nil || network.updates != 3 {
			t.Errorf("%v after %d updates", err, network.updates)
		}
		wantNames(t, f, "anna")
	})
}
