package main

// One rule says which of several settings counts: a flag wins over the stack, and the
// stack over the environment, which may be of another deployment. Two that exclude
// each other are refused only where both have the same rank.

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/spf13/pflag"
)

// setting is a value that a flag, an output of the stack or the environment names.
type setting struct {
	value     *string
	flag, env string
	output    string // empty: the stack does not name it
}

// source is what gave the value: the flag, or the variable of the environment.
func (s setting) source(flags *pflag.FlagSet) string {
	if flags.Changed(s.flag) {
		return "--" + s.flag
	}
	return s.env
}

// naming says, for an error about the value, what gave it, or how to give it where it
// is the default.
func (t *tables) naming(s setting, flags *pflag.FlagSet) string {
	switch {
	case flags.Changed(s.flag):
		return "--" + s.flag + " names it"
	case t.stack != "" && s.output != "":
		return fmt.Sprintf("the stack %q names it", t.stack)
	case t.getenv(s.env) != "":
		return s.env + " names it"
	}
	return "name it with --" + s.flag + " or " + s.env
}

// notEmpty refuses a flag that was given without a value: a variable of the shell
// that is not set must not select something else.
func notEmpty(flags *pflag.FlagSet, settings ...setting) error {
	for _, s := range settings {
		if flags.Changed(s.flag) && *s.value == "" {
			return fail(exitUsage, "--%s is empty: leave it out, or give it a value", s.flag)
		}
	}
	return nil
}

// exclusive empties what the environment gave on one side where flags gave the other.
// It returns the sources of two settings that contradict each other, or two empty
// texts.
func exclusive(flags *pflag.FlagSet, one, other []setting) (a, b string) {
	byFlag := func(s setting) bool { return flags.Changed(s.flag) }
	counts := byFlag
	switch i, j := slices.ContainsFunc(one, byFlag), slices.ContainsFunc(other, byFlag); {
	case i && !j:
		clearValues(other)
	case j && !i:
		clearValues(one)
	case !i:
		counts = func(s setting) bool { return *s.value != "" }
	}
	i, j := slices.IndexFunc(one, counts), slices.IndexFunc(other, counts)
	if i < 0 || j < 0 {
		return "", ""
	}
	return one[i].source(flags), other[j].source(flags)
}

func clearValues(settings []setting) {
	for _, s := range settings {
		*s.value = ""
	}
}

// leaveToStack empties, where a stack is named, the settings that no flag gave.
func (t *tables) leaveToStack(flags *pflag.FlagSet, settings ...setting) {
	for _, s := range settings {
		if t.stack != "" && !flags.Changed(s.flag) {
			*s.value = ""
		}
	}
}

// fromStack fills the settings that are empty with the outputs of the stack, if one
// is named.
func (t *tables) fromStack(ctx context.Context, cfg aws.Config, settings ...setting) error {
	settings = slices.DeleteFunc(slices.Clone(settings), func(s setting) bool { return *s.value != "" })
	if t.stack == "" || len(settings) == 0 {
		return nil
	}
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &t.stack})
	if err != nil {
		stack, _, _ := t.settings()
		return explainStack(err, t.stack, stack.source(t.flags), cfg.Region)
	}
	outputs := map[string]string{}
	for _, s := range out.Stacks {
		for _, output := range s.Outputs {
			outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
		}
	}
	for _, s := range settings {
		if *s.value = outputs[s.output]; *s.value == "" {
			return fail(exitFailure, "the stack %q has no output %s: it is not a fob stack, or its deployment did not finish", t.stack, s.output)
		}
	}
	return nil
}
