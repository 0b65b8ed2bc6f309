package ownusers

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// functionARN has the partition and the region of a function, with or without an alias or a
// version. It is compiled where it is needed.
const functionARN = `^arn:(aws[a-z-]*):lambda:([a-z0-9-]+):[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_$-]{1,128})?$`

// AtLambda asks a Lambda function by its ARN, with [Invoke] signed by the credentials. An
// empty endpoint is that of the function's region.
//
// The SDK's client of Lambda has a hundred operations and makes the program larger than
// this one request is worth (decision 76).
//
// [Invoke]: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func AtLambda(arn, endpoint string, credentials aws.CredentialsProvider) (*Users, error) {
	parts := regexp.MustCompile(functionARN).FindStringSubmatch(arn)
	if parts == nil {
		return nil, errors.New("it must be the ARN of a Lambda function")
	}
	partition, region := parts[1], parts[2]
	domain := map[string]string{"aws-cn": "amazonaws.com.cn"}[partition]
	base, err := url.Parse(cmp.Or(endpoint, "https://lambda."+region+"."+cmp.Or(domain, "amazonaws.com")))
	if err != nil {
		return nil, err
	}
	// As the SDK writes it: the signature is of these bytes.
	path := "/2015-03-31/functions/" + url.QueryEscape(arn) + "/invocations"
	address := base.JoinPath(path).String()
	signer := v4.NewSigner()
	return newUsers(func(ctx context.Context, body []byte) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("X-Amz-Invocation-Type", "RequestResponse")
		r.Header.Set("Content-Type", "application/json")
		by, err := credentials.Retrieve(ctx)
		if err != nil {
			return nil, err
		}
		hash := sha256.Sum256(body)
		return r, signer.SignHTTP(ctx, by, r, hex.EncodeToString(hash[:]), "lambda", region, time.Now())
	}), nil
}
