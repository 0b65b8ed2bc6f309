package repotest_test

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"
)

// CloudFormation's intrinsic functions, from their short form (!Ref X) or their
// long one ({Ref: X}). Everything else in a template is map[string]any, []any,
// string, int, float64, bool or nil.
type (
	ref    string // a resource or parameter
	getAtt string // resource.attribute
	sub    string // text with ${...}
	fn     struct {
		name string // without Fn::
		args any
	}
)

type template struct {
	Metadata, Parameters, Rules, Conditions, Globals, Resources, Outputs map[string]any
}

func readTemplate(path string) (template, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return template{}, err
	}
	return parseTemplate(text)
}

func parseTemplate(text []byte) (template, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return template{}, err
	}
	if len(doc.Content) != 1 {
		return template{}, errors.New("not one YAML document")
	}
	value, err := plain(doc.Content[0])
	if err != nil {
		return template{}, err
	}
	section := func(name string) map[string]any {
		m, _ := at(value, name).(map[string]any)
		return m
	}
	t := template{section("Metadata"), section("Parameters"), section("Rules"), section("Conditions"), section("Globals"), section("Resources"), section("Outputs")}
	if len(t.Resources) == 0 {
		return template{}, errors.New("no resources")
	}
	return t, nil
}

func plain(n *yaml.Node) (any, error) {
	if name, ok := strings.CutPrefix(n.Tag, "!"); ok && !strings.HasPrefix(name, "!") {
		untagged := *n
		untagged.Tag = ""
		args, err := plain(&untagged)
		if err != nil {
			return nil, err
		}
		return intrinsic(name, args), nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if _, twice := m[key.Value]; twice {
				return nil, fmt.Errorf("line %d: %s is there twice", key.Line, key.Value)
			}
			value, err := plain(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			m[key.Value] = value
		}
		for key, value := range m {
			name, long := strings.CutPrefix(key, "Fn::")
			if len(m) == 1 && (long || key == "Ref") {
				return intrinsic(name, value), nil
			}
		}
		return m, nil
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			value, err := plain(item)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.ScalarNode:
		var value any
		err := n.Decode(&value)
		return value, err
	default:
		// CloudFormation knows no aliases.
		return nil, fmt.Errorf("line %d: neither map, list nor scalar", n.Line)
	}
}

func intrinsic(name string, args any) any {
	switch args := args.(type) {
	case string:
		switch name {
		case "Ref":
			return ref(args)
		case "GetAtt":
			return getAtt(args)
		case "Sub":
			return sub(args)
		}
	case []any:
		if text, ok := args[0].(string); ok && name == "Sub" { // with names of its own
			return fn{name, []any{sub(text), args[1]}}
		}
		if name == "GetAtt" && len(args) == 2 {
			return getAtt(fmt.Sprint(args[0], ".", args[1]))
		}
	}
	return fn{name, args}
}

// at follows keys into maps; what is not there is nil.
func at(value any, keys ...string) any {
	for _, key := range keys {
		m, _ := value.(map[string]any)
		value = m[key]
	}
	return value
}

// walk visits value and everything within.
func walk(value any, visit func(any)) {
	visit(value)
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			walk(member, visit)
		}
	case []any:
		for _, item := range v {
			walk(item, visit)
		}
	case fn:
		walk(v.args, visit)
	}
}

// ofType returns the resources of a type, by name.
func (t template) ofType(kind string) map[string]any {
	found := map[string]any{}
	for name, resource := range t.Resources {
		if at(resource, "Type") == kind {
			found[name] = resource
		}
	}
	return found
}
