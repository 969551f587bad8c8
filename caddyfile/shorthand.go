package caddyfile

import (
	"bytes"
	"encoding/json"
	"strings"

	"lamplighter/module"
)

// withoutShorthand gives {file.name} back its meaning. In a site block Caddy
// takes it for the shorthand of a part of the request's path, which no client
// setting may hold.
func withoutShorthand(c *module.Client) (*module.Client, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	restored := new(module.Client)
	text = bytes.ReplaceAll(text, []byte(pathShorthand), []byte("{file."))
	return restored, json.Unmarshal(text, restored)
}

const pathShorthand = "{http.request.uri.path.file."

// fileShorthand does the same for one value.
func fileShorthand(value string) string {
	return strings.ReplaceAll(value, pathShorthand, "{file.")
}
