package wire_test

import (
	"fmt"
	"strings"
	"testing"
)

// label is a request of somebody with this token to label a device.
func label(device, token, body string) call {
	c := devices("PATCH", "/devices/"+device, token)
	c.endpoint = "labels"
	c.header["Content-Type"] = []string{"application/json"}
	c.body = body
	return c
}

func TestLabels(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		phone, tablet := w.login(t, by, asApp, "devices device_phone"), w.login(t, by, asApp, "devices device_tablet")
		access, key := phone.text("access_token"), phone.text("refresh_token")
		labels := func() (all []string) {
			t.Helper()
			c := devices("GET", "/devices", access)
			for _, d := range w.expect(t, by, step{call: c, status: 200}).json("devices").([]any) {
				text, _ := d.(map[string]any)["label"].(string)
				all = append(all, text)
			}
			return all
		}
		a := w.expect(t, by, step{call: label("phone", access, `{"label":"CANARY Zoe\u0308\u2019s phone"}`), status: 204})
		if a.line["outcome"] != "changed" || a.line["client"] != "app" {
			t.Errorf("line %v", a.line)
		}
		w.expect(t, by, step{call: label(handleOf("tablet"), key, `{"label":"the tablet"}`).with("Content-Type", "application/merge-patch+json"), status: 204})
		got := strings.Join(labels(), ",")
		if !strings.Contains(got, "CANARY Zo\u00eb\u2019s phone") || !strings.Contains(got, "the tablet") {
			t.Errorf("labels %s", got)
		}
		for _, token := range []string{access, key, tablet.text("access_token")} {
			c := call{endpoint: "introspect", header: basic("resource", resourceSecret), body: form("token", token)}
			if a := w.expect(t, by, step{call: c, status: 200}); strings.Contains(a.body, "label") || strings.Contains(a.body, "tablet,") {
				t.Errorf("a token asserts a label: %s", a.body)
			}
		}
		w.expect(t, by, step{call: label("phone", access, `{"label":null}`), status: 204})
		if got := strings.Join(labels(), ","); strings.Contains(got, "CANARY") {
			t.Errorf("labels %s", got)
		}

		for _, c := range []struct {
			call   call
			status int
			error  string
		}{
			{label("tablet", access, `{"label":"x"}`), 403, "unsupported_token_type"},
			{label("watch", key, `{"label":"x"}`), 404, "not_found"},
			{label("a%20b", key, `{"label":"x"}`), 400, "invalid_request"},
			{label("phone", "fob_at_unknown", `{"label":"x"}`), 401, "invalid_token"},
			{label("phone", w.login(t, by, asApp, "read device_phone").text("refresh_token"), `{"label":"x"}`), 403, "insufficient_scope"},
			{label("sign-out", key, `{"label":"x"}`), 404, "not_found"},
		} {
			w.expect(t, by, step{name: c.call.path, call: c.call, status: c.status, error: c.error})
		}
		for _, body := range []string{
			``, `{}`, `[]`, `{"label":1}`, `{"label":""}`, `{"label":" "}`, `{"label":"a\u202eb"}`, `{"label":"a","label":"b"}`, `{"name":"a"}`, `{"label":"\ud800"}`,
			fmt.Sprintf(`{"label":%q}`, strings.Repeat("x", 101)),
		} {
			w.expect(t, by, step{name: body, call: label("phone", access, body), status: 400, error: "invalid_request"})
		}
	})
}
