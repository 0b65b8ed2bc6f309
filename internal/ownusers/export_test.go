package ownusers

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Parse reads an answer.
var Parse = parse

// With asks by the requests that a test makes.
func With(request func(context.Context, []byte) (*http.Request, error)) *Users {
	return newUsers(request)
}

// HostOf is where a function would be asked.
func HostOf(arn string) (string, error) {
	u, err := AtLambda(arn, "", aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "fixture"}, nil
	}))
	if err != nil {
		return "", err
	}
	r, err := u.request(context.Background(), nil)
	if err != nil {
		return "", err
	}
	return r.URL.Host, nil
}
