package main

import (
	"context"
	"errors"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"
)

// outputs are what a stack tells of itself, by the names in template.yaml.
type outputs struct {
	stack  string
	values map[string]string
}

// stackOutputs asks CloudFormation.
func stackOutputs(ctx context.Context, cfg aws.Config, stack string) (outputs, error) {
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return outputs{}, explainStack(err, stack, cfg.Region)
	}
	o := outputs{stack, map[string]string{}}
	for _, s := range out.Stacks {
		for _, output := range s.Outputs {
			o.values[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
		}
	}
	return o, nil
}

// stackOutput is one output of the stack that --stack names.
func (t *tables) stackOutput(ctx context.Context, name string) (string, error) {
	cfg, err := t.awsConfig(ctx)
	if err != nil {
		return "", err
	}
	out, err := stackOutputs(ctx, cfg, t.stack)
	if err != nil {
		return "", err
	}
	return out.need(name)
}

// need returns an output of a stack of fob's.
func (o outputs) need(name string) (string, error) {
	if value := o.values[name]; value != "" {
		return value, nil
	}
	return "", fail(exitFailure, "the stack %q has no output %s: it is no stack of fob's, or its deployment did not finish", o.stack, name)
}

func explainStack(err error, stack, region string) error {
	code, message := "", ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code, message = api.ErrorCode(), oneLine(api.ErrorMessage())
	}
	_, noHost := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return errInterrupted
	case code == "ValidationError":
		return fail(exitNotFound, "there is no stack %q in %s: see --%s, AWS_REGION and AWS_PROFILE (%s)", stack, region, stackFlag, message)
	case code == "AccessDenied", code == "AccessDeniedException":
		return fail(exitFailure, "AWS forbids to look at the stack %q: %s", stack, message)
	case isCredentialFault(code):
		return fail(exitFailure, "CloudFormation in %s refuses the credentials: %s", region, message)
	case noHost:
		return fail(exitUnavailable, "the host of CloudFormation in %q is not known here: check the AWS region", region)
	}
	return fail(exitUnavailable, "CloudFormation in %s gives no answer about the stack %q, try again: %s", region, stack, oneLine(err.Error()))
}

// isCredentialFault tells the codes with which AWS refuses whoever asks. The
// services do not agree on their spelling.
func isCredentialFault(code string) bool {
	switch code {
	case "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "MissingAuthenticationTokenException",
		"InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "MissingAuthenticationToken":
		return true
	}
	return false
}
