package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

// TestPageInABrowser clicks through the page of fob serve: two phones without device
// scopes, the same with them, and what else the page can do. With -update it makes the
// screenshots of README.md; with -artifacts it keeps one of each step to look at.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	fob := serveProcess(t, nil)
	b.like(t, wide, high, "light")
	b.do(t, chromedp.Navigate(fob.Issuer+"/"))
	b.waitFor(t, `document.body.dataset.ready === "yes"`, "the script does not start")
	b.looksWell(t, "empty")

	// The problem: one token, and one log-out for both.
	b.press(t, "iphone", "signIn", "Signed in.")
	b.press(t, "ipad", "signIn", "Signed in. It has the same token as the iPhone.")
	b.badges(t, "A", "A")
	b.holds(t, "no device")
	b.press(t, "ipad", "logOut", "Logged out.")
	b.says(t, "iphone", "Logged out by the iPad: the API refuses the token.")
	b.holds(t)
	b.looksWell(t, "problem")
	b.press(t, "iphone", "me", "The API refuses its token.")

	// The solution.
	b.do(t, chromedp.Click(chromedp.CSS("input[value=device]")))
	b.press(t, "iphone", "signIn", "Signed in, with a token of its own.")
	b.press(t, "ipad", "signIn", "Signed in, with a token of its own.")
	b.badges(t, "B", "C")
	b.holds(t, "ipad", "iphone")
	b.press(t, "ipad", "me", "The API answers: demo-user on ipad.")
	b.press(t, "ipad", "logOut", "Logged out.")
	b.says(t, "iphone", "Still signed in, after the iPad logged out.")
	b.badges(t, "B", "")
	b.holds(t, "iphone")
	b.looksWell(t, "solution")
	b.screenshots(t)

	// The rest: the same token again, also after a reload; a refresh; the end of an hour.
	b.press(t, "iphone", "signIn", "Signed in again: the same token, with the time that is left.")
	b.press(t, "iphone", "refresh", "Refreshed: the same access token, and a new refresh token.")
	b.badges(t, "B", "")
	before := value[string](t, b, `document.querySelector("#iphone .access code").textContent`)
	b.do(t, chromedp.Reload())
	b.waitFor(t, `document.body.dataset.ready === "yes"`, "the script does not start again")
	b.do(t, chromedp.Click(chromedp.CSS("input[value=device]")))
	b.press(t, "iphone", "signIn", "Signed in, with a token of its own.")
	if after := value[string](t, b, `document.querySelector("#iphone .access code").textContent`); after != before {
		t.Errorf("after a reload the token is %s, and was %s", after, before)
	}
	b.press(t, "ipad", "me", "The API wants a token, and this phone has none.")
	b.press(t, "ipad", "refresh", "Signed out: there is nothing to refresh.")
	b.press(t, "ipad", "logOut", "It is signed out already.")
	value[bool](t, b, `const now = Date.now; Date.now = () => now() + 3700_000; true`)
	b.says(t, "iphone", "Its access token has ended. Refresh it, or sign in again.")
	if left := value[string](t, b, `document.querySelector("#iphone .refresh .left").textContent`); left != "30 days left" {
		t.Errorf("its refresh token has %q", left)
	}

	b.details(t)
	b.otherRequests(t, fob)
	b.askedOnly(t, fob.Issuer)
}

// The size of the window on a desk, and the width of one in a hand.
const wide, high, narrow = 1200, 930, 390

// press clicks a button of a phone and waits for what the phone then says.
func (b *browser) press(t *testing.T, phone, action, status string) {
	t.Helper()
	b.do(t, chromedp.Click(chromedp.CSS("#"+phone+" button[data-action="+action+"]")))
	b.says(t, phone, status)
}

func (b *browser) says(t *testing.T, phone, status string) {
	t.Helper()
	b.waitFor(t, fmt.Sprintf("document.querySelector('#%s .status').textContent === %q", phone, status), fmt.Sprintf("the %s does not say %q", phone, status))
}

// badges are the letters of the phones' access tokens: equal letters are equal tokens.
func (b *browser) badges(t *testing.T, want ...string) {
	t.Helper()
	got := value[[]string](t, b, `[...document.querySelectorAll(".badge")].map(b => b.hidden ? "" : b.textContent)`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("letters of the tokens (-want +got):\n%s", diff)
	}
}

// holds waits until the page shows the items of these devices alone, in any order.
func (b *browser) holds(t *testing.T, devices ...string) {
	t.Helper()
	b.waitFor(t, fmt.Sprintf(`[...document.querySelectorAll("#items .device")].map(d => d.textContent).sort().join() === %q`, strings.Join(devices, ",")),
		fmt.Sprintf("there are other items than of %q", devices))
}

// looksWell fails for what keeps people from using the page, on a desk and in a hand, in
// the light and in the dark.
func (b *browser) looksWell(t *testing.T, step string) {
	t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{wide, narrow} {
			name := fmt.Sprintf("%s-%s-%d", step, scheme, width)
			b.like(t, width, high, scheme)
			b.accessible(t, name)
			if over := value[int](t, b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("%s: the page is %d pixels wider than the window", name, over)
			}
			if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name+".png"), b.picture(t, width == narrow), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.like(t, wide, high, "light")
}

// details opens an item: it says what it holds, has no token, and stays open while the
// page asks again.
func (b *browser) details(t *testing.T) {
	t.Helper()
	b.do(t, chromedp.Click(chromedp.CSS("#items summary")))
	asked := value[int](t, b, `performance.getEntriesByType("resource").length`)
	b.waitFor(t, fmt.Sprintf(`performance.getEntriesByType("resource").length > %d`, asked+1), "the page does not ask again")
	if !value[bool](t, b, `document.querySelector("#items details").open`) {
		t.Error("the item is closed")
	}
	b.looksWell(t, "item")
	text := value[string](t, b, `document.body.innerText`)
	for _, want := range []string{"at.h", "access token: SHA-256", "rt.e", "refresh token: ends at", "ttl"} {
		if !strings.Contains(text, want) {
			t.Errorf("the item does not show %q:\n%s", want, text)
		}
	}
	if whole := regexp.MustCompile(`fob_[ar]t_[\w-]{100,}`).FindString(text); whole != "" {
		t.Errorf("the page shows a whole token, %s", whole)
	}
	if nameless := value[[]string](t, b, `[...document.querySelectorAll("#items details tbody tr")].filter(r => !r.cells[2].textContent || r.cells[2].textContent.includes("undefined")).map(r => r.cells[0].textContent)`); len(nameless) > 0 {
		t.Errorf("no meaning of the attributes %q", nameless)
	}
}

// otherRequests of a terminal are counted on the page too.
func (b *browser) otherRequests(t *testing.T, fob ready) {
	t.Helper()
	resp, err := http.PostForm(fob.IntrospectionEndpoint, url.Values{"client_id": {fob.ResourceClientID}, "client_secret": {fob.ResourceClientSecret}, "token": {"fob_at_x"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	b.waitFor(t, `document.querySelector("#requests tr").textContent.startsWith("/introspect200 inactive")`, "the page does not show the request")
	if sum := value[string](t, b, `document.getElementById("sum").textContent`); !regexp.MustCompile(`^\d\d requests, \d\d calls of DynamoDB\.$`).MatchString(sum) {
		t.Errorf("it counts %q", sum)
	}
}

// TestPageInABrowserOutlivesFob: an open page says that fob is down, and signs in again with
// the new password when fob was started anew.
func TestPageInABrowserOutlivesFob(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	first := startFob(t, nil, "serve", "--json", "--addr", "127.0.0.1:0")
	issuer := readReady(t, first.stdout).Issuer
	b.do(t, chromedp.Navigate(issuer+"/"))
	b.waitFor(t, `document.body.dataset.ready === "yes"`, "the script does not start")
	b.press(t, "iphone", "signIn", "Signed in.")
	first.said(t)
	b.press(t, "iphone", "me", "No answer: is fob serve running?")
	startFob(t, nil, "serve", "--addr", strings.TrimPrefix(issuer, "http://"))
	b.waitFor(t, `document.getElementById("sum").textContent === "0 requests, 0 calls of DynamoDB."`, "the page does not find fob again")
	b.press(t, "iphone", "me", "The API refuses its token.")
	b.press(t, "iphone", "signIn", "Signed in.")
	b.press(t, "iphone", "me", "The API answers: demo-user, on some device.")
}

// TestPageByKeyboard: all of the page can be reached and used without a pointer, in the
// order in which it is read.
func TestPageByKeyboard(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	fob := serveProcess(t, nil)
	b.like(t, wide, high, "light")
	b.do(t, chromedp.Navigate(fob.Issuer+"/"))
	b.waitFor(t, `document.body.dataset.ready === "yes"`, "the script does not start")
	focus := func() string {
		return value[string](t, b, `(e => e.getAttribute("aria-label") ?? (e.value || e.textContent).trim())(document.activeElement)`)
	}
	tab := func(want string) {
		t.Helper()
		b.do(t, chromedp.KeyEvent(kb.Tab))
		if got := focus(); got != want {
			t.Fatalf("the focus is on %q, want %q", got, want)
		}
		if outline := value[string](t, b, `getComputedStyle(document.activeElement).outlineStyle`); outline != "solid" {
			t.Errorf("%s has the focus, and the outline %s", want, outline)
		}
	}
	tab("shared")
	b.do(t, chromedp.KeyEvent(kb.ArrowDown))
	if got := focus(); got != "device" {
		t.Fatalf("the focus is on %q", got)
	}
	for _, phone := range []string{"iPhone", "iPad"} {
		tab("Sign in, " + phone)
		b.do(t, chromedp.KeyEvent(kb.Enter))
		b.says(t, strings.ToLower(phone), "Signed in, with a token of its own.")
		tab("Call /me, " + phone)
		tab("Refresh, " + phone)
		tab("Log out, " + phone)
		tab("Last request of the " + phone)
	}
	b.holds(t, "ipad", "iphone")
	tab("All attributes")
	b.do(t, chromedp.KeyEvent(kb.Enter))
	if !value[bool](t, b, `document.querySelector("#items details").open`) {
		t.Error("the item does not open")
	}
	tab("All attributes")
	tab("The last requests")
	if got := value[[]string](t, b, `[...document.querySelectorAll(".status")].map(s => s.getAttribute("aria-live"))`); !cmp.Equal(got, []string{"polite", "polite"}) {
		t.Errorf("screen readers say what phones say: %q", got)
	}
}
