package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a tab of a headless Chromium. Whatever a page says on its console, is kept
// from doing, or asks of another server, fails the test.
type browser struct {
	ctx context.Context
	axe string // a script that looks for what keeps people from using a page

	mu     sync.Mutex
	faults []string
	asked  []string // URLs
}

// openBrowser starts a Chromium, which must be on the path under one of its names. Where
// there is none the test is left out aloud, see language.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	program := "chromium"
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if _, err := exec.LookPath(name); err == nil {
			program = name
			break
		}
	}
	l := language(t, "browser", "package.json", program)
	axe, err := os.ReadFile(filepath.Join(l.installed, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // root has none
	}
	ctx, end := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(end)
	ctx, end = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); end() })
	b := &browser{ctx: ctx, axe: string(axe)}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, fault := range b.faults {
			t.Error(fault)
		}
	})
	return b
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprintf("console.%s", e.Type))
	case *log.EventEntryAdded:
		// The browser logs each status above 399, and 401 is part of the story.
		if e.Entry.Source != log.EntrySourceNetwork {
			b.faults = append(b.faults, e.Entry.Text)
		}
	}
}

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// like makes the window of that size, in the dark or in the light.
func (b *browser) like(t *testing.T, width, height int64, scheme string) {
	t.Helper()
	b.do(t, chromedp.EmulateViewport(width, height))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
}

// value evaluates an expression of JavaScript, waiting if it is a promise.
func value[V any](t *testing.T, b *browser, expression string) V {
	t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[V](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression[:min(len(expression), 200)], err)
	}
	return v
}

// waitFor waits until an expression is true, for a minute at most.
func (b *browser) waitFor(t *testing.T, condition, saying string) {
	t.Helper()
	loop := `new Promise(done => { const look = () => ` + condition + ` ? done(true) : performance.now() > until ? done(false) : setTimeout(look, 10); const until = performance.now() + 60000; look() })`
	if !value[bool](t, b, loop) {
		t.Fatalf("%s. The page has:\n%s", saying, value[string](t, b, "document.body.innerText"))
	}
}

// picture is a screenshot of what the window shows, or of the whole page.
func (b *browser) picture(t *testing.T, whole bool) []byte {
	t.Helper()
	action := chromedp.CaptureScreenshot()
	if whole {
		action = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(b.ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return png
}

// accessible fails for each rule of axe that the page breaks: contrast, names, roles,
// labels and others of WCAG 2.2 A and AA, and good practice.
func (b *browser) accessible(t *testing.T, when string) {
	t.Helper()
	value[chromedp.Void](t, b, b.axe+"; null")
	found := value[string](t, b, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(
		{broken: r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).join("; ")), passed: r.passes.length}))`)
	var result struct {
		Broken []string
		Passed int
	}
	if err := json.Unmarshal([]byte(found), &result); err != nil || result.Passed < 20 {
		t.Fatalf("%v, %d rules passed", err, result.Passed)
	}
	for _, broken := range result.Broken {
		t.Errorf("%s: %s", when, broken)
	}
}

// askedOnly fails if the page asked anything of another server.
func (b *browser) askedOnly(t *testing.T, base string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.asked) < 5 {
		t.Errorf("it asked %q alone", b.asked)
	}
	for _, url := range b.asked {
		if !strings.HasPrefix(url, base+"/") {
			t.Errorf("it asked %s", url)
		}
	}
}
