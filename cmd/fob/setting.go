package main

// One rule says which of several settings counts: a flag wins over the stack, and the
// stack over the environment, which may be of another deployment. Two that exclude
// each other are refused only where both have the same rank.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/spf13/pflag"
)

// setting is a value that a flag, an output of the stack or the environment names.
type setting struct {
	value   string
	flag    *pflag.Flag
	env     string // the variable
	fromEnv bool   // the variable is set
	output  string // of the stack; empty: it does not name the value
}

// newSetting adds the flag. otherwise is the value that nothing has to name.
func (p *program) newSetting(flags *pflag.FlagSet, name, env, output, otherwise, usage string) *setting {
	given := p.getenv(env)
	s := &setting{env: env, fromEnv: given != "", output: output}
	s.flag = addText(flags, &s.value, name, cmp.Or(given, otherwise), usage+", or set "+env)
	return s
}

// source is what gave the value: the flag, or the variable of the environment.
func (s *setting) source() string {
	if s.flag.Changed {
		return "--" + s.flag.Name
	}
	return s.env
}

// naming says, for an error about the value, what gave it, or how to give it where it
// is the default.
func (t *tables) naming(s *setting) string {
	switch {
	case s.flag.Changed:
		return "--" + s.flag.Name + " names it"
	case t.stack.value != "" && s.output != "":
		return fmt.Sprintf("the stack %q names it", t.stack.value)
	case s.fromEnv:
		return s.env + " names it"
	}
	return "name it with --" + s.flag.Name + " or " + s.env
}

// exclusive empties what the environment gave on one side where flags gave the other.
// It returns the sources of two settings that contradict each other, or two empty
// texts.
func exclusive(one, other []*setting) (a, b string) {
	byFlag := func(s *setting) bool { return s.flag.Changed }
	i, j := slices.IndexFunc(one, byFlag), slices.IndexFunc(other, byFlag)
	if i < 0 && j < 0 {
		byAny := func(s *setting) bool { return s.value != "" }
		i, j = slices.IndexFunc(one, byAny), slices.IndexFunc(other, byAny)
	}
	switch {
	case i >= 0 && j >= 0:
		return one[i].source(), other[j].source()
	case i >= 0:
		clearValues(other)
	case j >= 0:
		clearValues(one)
	}
	return "", ""
}

func clearValues(settings []*setting) {
	for _, s := range settings {
		s.value = ""
	}
}

// leaveToStack empties, where a stack is named, the settings that no flag gave.
func (t *tables) leaveToStack(settings ...*setting) {
	for _, s := range settings {
		if t.stack.value != "" && !s.flag.Changed {
			s.value = ""
		}
	}
}

// fromStack fills the settings that are empty with the outputs of the stack, if one
// is named.
func (t *tables) fromStack(ctx context.Context, cfg aws.Config, settings ...*setting) error {
	settings = slices.DeleteFunc(slices.Clone(settings), func(s *setting) bool { return s.value != "" })
	stack := t.stack.value
	if stack == "" || len(settings) == 0 {
		return nil
	}
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return explainStack(err, stack, t.stack.source(), cfg.Region)
	}
	outputs := map[string]string{}
	for _, s := range out.Stacks {
		for _, output := range s.Outputs {
			outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
		}
	}
	for _, s := range settings {
		if s.value = outputs[s.output]; s.value == "" {
			return fail(exitFailure, "the stack %q has no output %s: it is not a fob stack, or its deployment did not finish", stack, s.output)
		}
	}
	return nil
}

// addText adds a flag for a text. It is not empty where it is given: a variable of the
// shell that is not set must not select something else.
func addText(flags *pflag.FlagSet, value *string, name, otherwise, usage string) *pflag.Flag {
	*value = otherwise
	return flags.VarPF((*filled)(value), name, "", usage)
}

type filled string

var errEmpty = errors.New("leave it out, or give it a value")

func (f *filled) Set(text string) error {
	if text == "" {
		return errEmpty
	}
	*f = filled(text)
	return nil
}

func (f *filled) String() string { return string(*f) }
func (*filled) Type() string     { return "string" }
