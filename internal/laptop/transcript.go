package laptop

import (
	"encoding/base64"
	"path/filepath"
	"strings"
)

// The output of fob serve is a shell script for sh, bash and zsh, which is pasted line by
// line. It needs curl and sed, and keeps two rules:
//
//   - There are no comments behind commands, and comments have no characters that
//     a shell knows: an interactive zsh takes them for commands.
//   - Each line is complete, except that some need the variables A and B.

const transcript = `# fob serves {base} and keeps everything {where}.
{page}# Paste these lines into another terminal, one after another.
{zsh}
# 1. The iPad logs in: token A.
A=$(curl -sS {base}/token -u {client} -d '{login}&scope=device_ipad' | sed 's/.*"access_token":"\([^"]*\)".*/\1/'); echo "$A"

# 2. It asks again, this time with each header spelled out: token A, with the seconds that are left.
curl -sS {base}/token -H 'Authorization: Basic {basic}' -H 'Content-Type: application/x-www-form-urlencoded' -d '{login}&scope=device_ipad'; echo

# 3. The iPhone logs in: token B.
B=$(curl -sS {base}/token -u {client} -d '{login}&scope=device_iphone' | sed 's/.*"access_token":"\([^"]*\)".*/\1/'); echo "$B"

# 4. The iPad logs out: 200, and token A is revoked.
curl -sS {base}/revoke -u {client} -d "token=$A" -o /dev/null -w '%{http_code}\n'

# 5. The API asks about both: A is inactive at once, B is untouched.
curl -sS {base}/introspect -u {api} -d "token=$A"; echo
curl -sS {base}/introspect -u {api} -d "token=$B"; echo

# 6. The iPad logs in again: a new token, never A.
curl -sS {base}/token -u {client} -d '{login}&scope=device_ipad'; echo
{exchange}
# No other fob command reaches what is in memory: fob serve --help says how to use DynamoDB.
# Ctrl-C ends fob.
`

// exchange is for the ten minutes that an ID token may be old.
const exchange = `
# 7. Another login proves who the user is, as Apple or Cognito does: its ID token in exchange for a token.
# The ID token runs out 10 minutes after fob started.
curl -sS {base}/token -d client_id={app} -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange -d subject_token_type=urn:ietf:params:oauth:token-type:id_token -d subject_token={id_token} -d scope=device_watch; echo
`

const withoutDemo = `# fob serves {base} and keeps everything {where}.
# POST {base}/token
# POST {base}/revoke
# POST {base}/introspect
# GET {base}/devices
# GET {base}/me
# GET {base}/.well-known/oauth-authorization-server
`

// Transcript is what fob serve prints for people, whose shell is at the path shell.
// where says where fob keeps everything; demo may be nil. hasPage says that there is a
// page at base.
func Transcript(base, where, shell string, demo *Demo, hasPage bool) string {
	values := []string{"{base}", base, "{where}", where, "{zsh}", ""}
	if demo == nil {
		return strings.NewReplacer(values...).Replace(withoutDemo)
	}
	if filepath.Base(shell) == "zsh" {
		values[len(values)-1] = "setopt interactive_comments\n"
	}
	text := strings.Replace(transcript, "{exchange}", "", 1)
	if demo.IDToken.Len() > 0 {
		text = strings.Replace(transcript, "{exchange}", exchange, 1)
	}
	ofPage := ""
	if hasPage {
		ofPage = "# Open it in a browser to see two phones of one user.\n"
	}
	d := demo.JSON()
	client := d.ClientID + ":" + d.ClientSecret
	return strings.NewReplacer(append(values,
		"{page}", ofPage,
		"{client}", client,
		"{basic}", base64.StdEncoding.EncodeToString([]byte(client)),
		"{api}", d.ResourceClientID+":"+d.ResourceClientSecret,
		"{login}", "grant_type=password&username="+d.Username+"&password="+d.Password,
		"{app}", d.PublicClientID,
		"{id_token}", demo.IDToken.Reveal(),
	)...).Replace(text)
}
