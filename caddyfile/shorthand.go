package caddyfile

import (
	"bytes"
	"encoding/json"
	"strings"

	"lamplighter/module/settings"
)

// withoutShorthand gives {file.name} back its meaning. In a site block Caddy
// takes it for the shorthand of a part of the request's path, which no client
// setting may hold.
func withoutShorthand(c *settings.Client) (*settings.Client, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	restored := new(settings.Client)
	text = bytes.ReplaceAll(text, []byte(pathShorthand), []byte("{file."))
	if err := json.Unmarshal(text, restored); err != nil {
		return nil, err
	}
	restored.SubjectToken = requestShorthand.Replace(restored.SubjectToken)
	return restored, nil
}

// requestShorthand gives the one setting that may hold a value of a request its
// meaning where Caddy knows no shorthand: in global options.
var requestShorthand = strings.NewReplacer(
	"{header.", "{http.request.header.", "{cookie.", "{http.request.cookie.",
	"{query.", "{http.request.uri.query.", "{vars.", "{http.vars.",
)

const pathShorthand = "{http.request.uri.path.file."

// fileShorthand does the same for one value.
func fileShorthand(value string) string {
	return strings.ReplaceAll(value, pathShorthand, "{file.")
}
