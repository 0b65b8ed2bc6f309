package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
)

// checkErrorBody holds a body to RFC 6749 §5.2 (N08), or to RFC 8935 §2.3.
func checkErrorBody(endpoint, body string) error {
	name, description := errorName(endpoint), "error_description"
	if name == "err" {
		description = "description"
	}
	members := map[string]any{}
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		return err
	}
	code, _ := members[name].(string)
	if code == "" {
		return errors.New("no error code")
	}
	for member, value := range members {
		text, isText := value.(string)
		if !isText || member != name && member != description && !(member == "id" && code == "already_exists") {
			return fmt.Errorf("member %q has no place here", member)
		}
		for _, c := range text {
			if c < ' ' || c > '~' || c == '"' || c == '\\' {
				return fmt.Errorf("%q is not allowed in %s", c, member)
			}
		}
	}
	return nil
}
