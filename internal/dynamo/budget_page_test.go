package dynamo_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
)

var updatePage = flag.Bool("update", false, "write the tables of docs/performance.md anew")

const performancePage = "../../docs/performance.md"

// TestPerformancePage: the tables of the page are calculated from the budgets that
// TestBudget measures, so the page cannot differ from the code.
func TestPerformancePage(t *testing.T) {
	text, err := os.ReadFile(performancePage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for name, table := range map[string]string{
		"million":    tableOfMillions(t),
		"months":     tableOfMonths(t),
		"partitions": tableOfPartitions(t),
	} {
		part := regexp.MustCompile(`(?s)<!-- made by TestPerformancePage: ` + name + ` -->\n.*?<!-- end -->`)
		if !part.MatchString(page) {
			t.Fatalf("the page has no place for the table %q", name)
		}
		page = part.ReplaceAllLiteralString(page, "<!-- made by TestPerformancePage: "+name+" -->\n\n"+table+"\n<!-- end -->")
	}
	// The prices and assumptions as the text has them.
	for _, want := range []string{
		fmt.Sprintf("$%.3f for a million read units", 1e6*readUnits), fmt.Sprintf("$%.3f for a million write units", 1e6*writeUnits),
		fmt.Sprintf("$%.2f for a million calls", 1e6*lambdaCall), fmt.Sprintf("$%.10f for a GB-second", lambdaGBSecond),
		fmt.Sprintf("$%.2f for each of the first %.0f million requests, $%.2f later", 1e6*httpAPI, httpAPITier/1e6, 1e6*httpAPILater),
		fmt.Sprintf("$%.2f for a GB of answers", transferredGB), fmt.Sprintf("CloudWatch Logs: $%.2f for a GB", logGB),
		fmt.Sprintf("$%.2f for a thousand tokens", 1e3*cognitoToken),
		fmt.Sprintf("%.0f ms for each call of DynamoDB", 1e3*callWait), fmt.Sprintf("%.0f ms of a core for a", 1e3*hashCPU), fmt.Sprintf("%.1f ms for the rest", 1e3*requestCPU),
		fmt.Sprintf("signs in once and refreshes %.0f times", month[1].times), fmt.Sprintf("makes %.0f requests to your API", month[3].times),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if *updatePage {
		if err := os.WriteFile(performancePage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if page != string(text) {
		t.Error("docs/performance.md is not what the budgets and prices say: go test ./internal/dynamo -run PerformancePage -update")
	}
}

// List prices in us-east-1, in dollars. docs/performance.md says where they are from.
const (
	readUnits  = 0.125e-6
	writeUnits = 0.625e-6
	tableGB    = 0.25 + 0.20 // a month, and its point-in-time recovery

	lambdaCall     = 0.20e-6
	lambdaGBSecond = 13.3334e-6 // arm64

	httpAPI       = 1.00e-6 // up to httpAPITier requests a month
	httpAPILater  = 0.90e-6
	httpAPITier   = 300e6
	transferredGB = 0.09

	logGB = 0.50 // taken in

	cognitoToken = 2.25e-3 // of client_credentials
)

// What a request needs beyond units. Waits are assumed; the others were measured, see the
// page.
const (
	callWait   = 0.004   // seconds for one call of DynamoDB
	requestCPU = 0.0005  // seconds of a core for a request, hashing apart
	hashCPU    = 0.022   // seconds of a core for a password
	fullCore   = 1769.0  // MB of memory for one core
	platform   = 300.0   // bytes that Lambda logs about a call: START, END and REPORT
	accessLine = 230.0   // bytes of the gateway's line
	perEvent   = 26.0    // bytes that CloudWatch counts for an event in addition to its text
	gigabyte   = 1 << 30 // bytes
)

// pricedVerb is a request of the page, which its row of the budget prices.
type pricedVerb struct {
	name, row string
	memory    float64 // MB of the function
	hashes    bool
	line      float64 // bytes of the event line
	answer    float64 // bytes of the answer, headers included
	guarded   bool    // behind the API Gateway of another API: no request and no access line here
}

const ofToken, ofOthers = 1024, 256

var pageRequests = []pricedVerb{
	{name: "login on a new device", row: "password, no item yet", memory: ofToken, hashes: true, line: 600, answer: 620},
	{name: "login again, the same token", row: "password, returned", memory: ofToken, hashes: true, line: 600, answer: 620},
	{name: "wrong password", row: "wrong password", memory: ofToken, hashes: true, line: 520, answer: 320},
	{name: "client_credentials, a new token", row: "client_credentials, next generation", memory: ofToken, line: 600, answer: 420},
	{name: "client_credentials, the same token", row: "client_credentials, returned", memory: ofToken, line: 600, answer: 420},
	{name: "refresh of an app, new tokens", row: "refresh, public, rotation and next access token", memory: ofToken, line: 600, answer: 620},
	{name: "introspection", row: "introspect", memory: ofOthers, line: 400, answer: 520},
	{name: "authorizer, for a request to your API", row: "authorizer", memory: ofOthers, line: 400, guarded: true},
	{name: "revocation", row: "revoke an access token", memory: ofOthers, line: 550, answer: 200},
}

// bill is the dollars for one request.
type bill struct {
	reads, writes, milliseconds                float64
	dynamoDB, lambda, gateway, transport, logs float64
}

func (b bill) total() float64 { return b.dynamoDB + b.lambda + b.gateway + b.transport + b.logs }

func (r pricedVerb) bill(t *testing.T) (b bill) {
	t.Helper()
	var found *budgetRow
	for _, row := range budgetRows() {
		if row.name == r.row {
			found = &row
		}
	}
	if found == nil {
		t.Fatalf("the budget has no row %q", r.row)
	}
	calls := 0
	for _, n := range found.price.calls {
		calls += n
	}
	cpu := requestCPU
	if r.hashes {
		cpu += hashCPU
	}
	b.reads, b.writes = found.price.found+found.price.none, found.price.write
	b.milliseconds = math.Ceil(1000 * (float64(calls)*callWait + cpu*fullCore/r.memory))
	b.dynamoDB = b.reads*readUnits + b.writes*writeUnits
	b.lambda = lambdaCall + b.milliseconds/1000*r.memory/1024*lambdaGBSecond
	bytes := r.line + platform + 4*perEvent
	if !r.guarded {
		b.gateway, b.transport = httpAPI, r.answer/gigabyte*transferredGB
		bytes += accessLine + perEvent
	}
	b.logs = bytes / gigabyte * logGB
	return b
}

func tableOfMillions(t *testing.T) string {
	var out strings.Builder
	out.WriteString("| a million of | read units | write units | billed, ms | DynamoDB | Lambda | API Gateway | data out | logs | sum |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range pageRequests {
		b := r.bill(t)
		fmt.Fprintf(&out, "| %s | %g | %g | %.0f", r.name, b.reads, b.writes, b.milliseconds)
		for _, part := range []float64{b.dynamoDB, b.lambda, b.gateway, b.transport, b.logs, b.total()} {
			fmt.Fprintf(&out, " | %s", dollars(1e6*part))
		}
		out.WriteString(" |\n")
	}
	fmt.Fprintf(&out, "| client_credentials at Cognito | | | | | | | | | %s |\n", dollars(1e6*cognitoToken))
	return out.String()
}

// month is what one device does in one, as the page assumes it.
var month = []struct {
	name  string
	times float64
}{
	{"login on a new device", 1},
	{"refresh of an app, new tokens", 80},
	{"revocation", 0.2},
	{"authorizer, for a request to your API", 800},
}

const (
	bytesPerDevice = 700 // of a record with four slots
	bytesPerUser   = 800 // of both items in Users
	fixed          = 0.80 + 3.00 + 3.40
)

func tableOfMonths(t *testing.T) string {
	bills := map[string]bill{}
	for _, r := range pageRequests {
		bills[r.name] = r.bill(t)
	}
	var out strings.Builder
	out.WriteString("| a month of | 100,000 users with 3 devices | 1,000,000 users with 5 devices |\n| --- | --- | --- |\n")
	sizes := []struct{ users, devices float64 }{{1e5, 3}, {1e6, 5}}
	sums, behind := make([]float64, len(sizes)), make([]float64, len(sizes)) // of all, and of fob's own API
	for _, m := range month {
		fmt.Fprintf(&out, "| %s |", m.name)
		for i, s := range sizes {
			n := s.users * s.devices * m.times
			cost := n * bills[m.name].total()
			if bills[m.name].gateway > 0 {
				behind[i] += n
			}
			sums[i] += cost
			fmt.Fprintf(&out, " %s: %s |", count(n), dollars(cost))
		}
		out.WriteString("\n")
	}
	row := func(name string, of func(i int) float64) {
		fmt.Fprintf(&out, "| %s |", name)
		for i := range sizes {
			fmt.Fprintf(&out, " %s |", dollars(of(i)))
		}
		out.WriteString("\n")
	}
	add := func(name string, of func(i int) float64) {
		row(name, of)
		for i := range sizes {
			sums[i] += of(i)
		}
	}
	add("API Gateway above 300 million requests", func(i int) float64 { return -(httpAPI - httpAPILater) * max(0, behind[i]-httpAPITier) })
	add("tables and their recovery", func(i int) float64 {
		return sizes[i].users * (sizes[i].devices*bytesPerDevice + bytesPerUser) / gigabyte * tableGB
	})
	add("two secrets, ten counters, all alarms", func(int) float64 { return fixed })
	row("**all**", func(i int) float64 { return sums[i] })
	row("**all, and /introspect in the place of the authorizer**", func(i int) float64 {
		n := sizes[i].users * sizes[i].devices * month[3].times
		own := behind[i] + n
		// What the gateway takes less of, in the place of what it took less of before.
		less := (httpAPI - httpAPILater) * (max(0, own-httpAPITier) - max(0, behind[i]-httpAPITier))
		return sums[i] + n*(bills["introspection"].total()-bills["authorizer, for a request to your API"].total()) - less
	})
	row("Cognito Lite, all users active", func(i int) float64 { return cognito(sizes[i].users, [][2]float64{{90e3, 0.0055}, {900e3, 0.0046}}) })
	row("Cognito Essentials, all users active", func(i int) float64 { return cognito(sizes[i].users, [][2]float64{{math.Inf(1), 0.015}}) })
	return out.String()
}

// cognito is the price of active users: 10,000 are free, and each tier has a size.
func cognito(users float64, tiers [][2]float64) (sum float64) {
	users -= 10e3
	for _, tier := range tiers {
		n := min(users, tier[0])
		sum += n * tier[1]
		users -= n
	}
	return sum
}

func count(n float64) string {
	if n >= 1e6 {
		return strings.TrimSuffix(thousands(n/1e6), ".00") + " million"
	}
	return thousands(n)
}

// dollars writes an amount with its sign before the dollar's.
func dollars(amount float64) string {
	if amount < 0 {
		return "-$" + thousands(-amount)
	}
	return "$" + thousands(math.Abs(amount)) // of -0 too
}

// thousands writes an amount of 0 or more with commas, and below 100 with two places.
func thousands(amount float64) string {
	if amount < 100 {
		return fmt.Sprintf("%.2f", amount)
	}
	text := fmt.Sprintf("%.0f", amount)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
