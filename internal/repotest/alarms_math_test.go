package repotest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// valueOf is what an alarm compares with its threshold in one period; false if there is
// no such value.
func valueOf(t *testing.T, properties any, points datapoints) (float64, bool) {
	t.Helper()
	if at(properties, "MetricName") != nil {
		return statistic(t, watchedBy(map[string]any{"Properties": properties})[0], points)
	}
	m := metricMath{t: t, values: map[string]float64{}, known: map[string]bool{}}
	watched := watchedBy(map[string]any{"Properties": properties})
	var expression string
	list, _ := at(properties, "Metrics").([]any)
	for _, one := range list {
		if e, ok := at(one, "Expression").(string); ok {
			expression = e
			continue
		}
		id := fmt.Sprint(at(one, "Id"))
		m.known[id] = true
		if value, found := statistic(t, watched[0], points); found {
			m.values[id] = value
		}
		watched = watched[1:]
	}
	// CloudWatch's expressions are Go's, but for the brackets of a list.
	parsed, err := parser.ParseExpr(strings.NewReplacer("[", "", "]", "").Replace(expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return m.value(parsed)
}

// statistic is that of a metric over the values of a period; false without values.
func statistic(t *testing.T, m metric, points datapoints) (float64, bool) {
	t.Helper()
	key := fmt.Sprint(m.namespace, " ", m.name)
	for _, d := range m.dimensions {
		key += fmt.Sprint(" ", at(d, "Value"))
	}
	values := slices.Sorted(slices.Values(points[key]))
	if len(values) == 0 {
		return 0, false
	}
	switch m.stat {
	case "Sum":
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return sum, true
	case "SampleCount":
		return float64(len(values)), true
	case "Maximum":
		return values[len(values)-1], true
	case "p95":
		return values[(95*len(values)-1)/100], true
	}
	t.Fatalf("a statistic that this test does not know: %v", m.stat)
	return 0, false
}

// metricMath evaluates the part of CloudWatch's metric math that the template uses. An
// operand without a value leaves the result without one, but SUM and FILL do not mind.
type metricMath struct {
	t      *testing.T
	values map[string]float64
	known  map[string]bool
}

func (m metricMath) value(e ast.Expr) (float64, bool) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return m.value(e.X)
	case *ast.BasicLit:
		v, err := strconv.ParseFloat(e.Value, 64)
		return v, err == nil
	case *ast.Ident:
		if !m.known[e.Name] {
			m.t.Fatalf("no metric has the id %s", e.Name)
		}
		v, found := m.values[e.Name]
		return v, found
	case *ast.BinaryExpr:
		x, okX := m.value(e.X)
		y, okY := m.value(e.Y)
		if !okX || !okY {
			return 0, false
		}
		switch e.Op {
		case token.ADD:
			return x + y, true
		case token.MUL:
			return x * y, true
		case token.QUO:
			return x / y, y != 0
		case token.GTR:
			if x > y {
				return 1, true
			}
			return 0, true
		}
	case *ast.CallExpr:
		return m.call(fmt.Sprint(e.Fun), e.Args)
	}
	m.t.Fatalf("an expression that this test does not know: %T", e)
	return 0, false
}

func (m metricMath) call(name string, args []ast.Expr) (float64, bool) {
	switch name {
	case "SUM":
		sum, some := 0.0, false
		for _, arg := range args {
			v, found := m.value(arg)
			sum, some = sum+v, some || found
		}
		return sum, some
	case "FILL":
		if v, found := m.value(args[0]); found {
			return v, true
		}
		return m.value(args[1])
	case "IF":
		condition, found := m.value(args[0])
		if !found {
			return 0, false
		}
		if condition != 0 {
			return m.value(args[1])
		}
		return m.value(args[2])
	}
	m.t.Fatalf("a function that this test does not know: %s", name)
	return 0, false
}
