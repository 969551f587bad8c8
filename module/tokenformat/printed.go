package tokenformat

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// Formats of what is printed, beside those of files.
const (
	Alone = "token" // as plain, and a line break
	JSON  = "json"  // the answer of a token endpoint (RFC 6749 section 5.1)
	Git   = "git"   // what a credential helper of git prints
)

// PrintNames are the formats of what is printed.
func PrintNames() []string {
	files := slices.DeleteFunc(Names(), func(name string) bool { return name == Plain })
	return append([]string{Alone, JSON, Git}, files...)
}

// Print returns what is printed of a client's token. asked is what the reader has said: the
// environment variable KUBERNETES_EXEC_INFO, or the user that git knows.
func Print(client, format, asked string, t *Token) ([]byte, error) {
	switch format {
	case Alone:
		return append([]byte(t.AccessToken), '\n'), CheckLine(t.AccessToken)
	case JSON:
		text, err := json.Marshal(struct {
			AccessToken string `json:"access_token"`
			TokenType   string `json:"token_type"`
			ExpiresIn   int64  `json:"expires_in"`
			Scope       string `json:"scope,omitempty"`
		}{t.AccessToken, t.TokenType, t.ExpiresIn, t.Scope})
		return append(text, '\n'), err
	case Git:
		user := cmp.Or(asked, gitUser)
		return fmt.Appendf(nil, "username=%s\npassword=%s\npassword_expiry_utc=%d\n", user, t.AccessToken, t.ExpiresAt.Unix()), CheckLine(user + t.AccessToken)
	case ExecCredential:
		return Credential(execVersion(asked), t)
	}
	if NeedsHeader(format) && len(t.Header) == 0 {
		return nil, fmt.Errorf("format %s shows what goes into headers, and inject puts the token of client %s into none: choose another format", format, client)
	}
	return Named(format)(client, t)
}

// gitUser is the name that goes with a token, where git knows none: servers look at the
// token alone, and want some name.
const gitUser = "oauth2"

// execVersion is the version of the ExecCredential that kubectl asks for.
func execVersion(info string) string {
	var asked struct {
		APIVersion string `json:"apiVersion"`
	}
	if json.Unmarshal([]byte(info), &asked) == nil && asked.APIVersion == ExecCredentialV1Beta1 {
		return asked.APIVersion
	}
	return ExecCredentialV1
}

// maxAsked bounds what git says on standard input.
const maxAsked = 64 << 10

// ReadGit reads what git says to a credential helper (git-credential(1)): lines of the form
// key=value, until an empty one. It is an error if a line that says where the password goes,
// or whose it is, is there twice, or holds a control character: git never says that, and
// whoever had a URL with a line break in it speak for git would (CVE-2020-5260).
func ReadGit(in io.Reader) (map[string]string, error) {
	asked := make(map[string]string)
	lines := bufio.NewScanner(io.LimitReader(in, maxAsked))
	lines.Buffer(nil, maxAsked)
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if !ok {
			break
		}
		_, repeated := asked[key]
		switch {
		case repeated && !strings.HasSuffix(key, "[]"):
			return nil, fmt.Errorf("what git says has two lines for %.64q, so that nobody can tell where the token would go", key)
		case strings.ContainsFunc(key+value, unicode.IsControl):
			return nil, fmt.Errorf("what git says of %.64q holds a control character", key)
		}
		asked[key] = value
	}
	return asked, nil
}
