package dynamo

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// ForeignError is the answer of something that is not DynamoDB, such as another HTTP
// server, or a proxy on the way. It matches [oauth.ErrUnavailable]: a write may have
// been made before a proxy answered.
type ForeignError struct {
	Status int // of the HTTP response
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the answer is not from DynamoDB: %d %s", e.Status, http.StatusText(e.Status))
}

// refuseForeign makes a call fail that was not answered by DynamoDB. To the SDK an
// empty body, or any JSON object, is an answer: nothing was found, or the write was
// made.
func refuseForeign(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("FobRefuseForeign",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			// The SDK tries again after 5xx, whose answer may be a load balancer's.
			if r, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil && r.StatusCode < 500 && !fromDynamoDB(r.Header) {
				err = &ForeignError{r.StatusCode}
			}
			return out, metadata, err
		}), middleware.After)
}

// fromDynamoDB takes what any engine says: not all of them have both headers.
func fromDynamoDB(h http.Header) bool {
	return h.Get("Content-Type") == "application/x-amz-json-1.0" || h.Get("X-Amzn-Requestid") != ""
}
