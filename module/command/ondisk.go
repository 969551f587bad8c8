package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/redact"
	"lamplighter/module/service"
)

// configuredFile is service.Configured, but in tests.
var configuredFile = service.Configured

// onDisk is what an examination begins with if the instance runs another configuration than
// its file has: a reload that failed, or that nobody has ordered, shows at the next start
// only.
func onDisk(fl caddycmd.Flags, api *adminClient) []adminapi.Check {
	file := fl.String("config")
	if file == "" && fl.String("address") == "" {
		file = configuredFile()
	}
	text, err := os.ReadFile(file)
	if err != nil || bytes.Contains(text, []byte("{$")) { // variables of this environment would be put in
		return nil
	}
	said := adminapi.Check{Step: "configuration"}
	validate := "'lamplighter validate --config " + redact.Quoted(file) + "'"
	config, _, _, err := caddycmd.LoadConfig(file, fl.String("adapter"))
	if err != nil {
		said.Verdict, said.Detail = adminapi.VerdictFailed, fmt.Sprintf("the instance runs what it loaded before, and would not start again: %s cannot be loaded: %v", file, err)
		said.Remedy = "correct the file before anything restarts the instance; " + validate + " says whether it can be loaded"
		return []adminapi.Check{said}
	}
	var running, written any
	if json.Unmarshal(config, &written) != nil || api.call(http.MethodGet, "/config/", nil, &running) != nil || running == nil || reflect.DeepEqual(placeless(running), placeless(written)) {
		return nil
	}
	said.Verdict, said.Detail = adminapi.VerdictWarning, "the instance does not run what "+file+" has: it was changed and not loaded, or that failed"
	said.Remedy = validate + " says whether it can be loaded; then 'lamplighter reload --config " + redact.Quoted(file) + "' takes it over; else the next start fails"
	return []adminapi.Check{said}
}

// placeless is a configuration without the places that things are declared at: the same file
// may be named by another path, and a comment moves all that comes after it.
func placeless(config any) any {
	switch part := config.(type) {
	case map[string]any:
		delete(part, "declared_at")
		for _, member := range part {
			placeless(member)
		}
	case []any:
		for _, element := range part {
			placeless(element)
		}
	}
	return config
}
