package observe

import (
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/redact"
)

// laterSocket is the admin socket of a process that was not the first of its user.
var laterSocket = regexp.MustCompile(`/admin-\d+\.sock$`)

// AdminFlags are the flags with which commands find the process of a configuration, as a
// shell takes them; "" if they find it without.
func AdminFlags(ctx caddy.Context) string {
	address := adminAddress(ctx)
	usual := address == "" || address == caddy.DefaultAdminListen && os.Getenv("CADDY_ADMIN") == ""
	address, _, _ = strings.Cut(address, "|") // the socket's mode
	if usual && !laterSocket.MatchString(address) {
		return ""
	}
	return "--address " + redact.Quoted(address) + " "
}

// adminAddress is the address of the admin endpoint, "" if there is none. Caddy shows a
// module everything of its configuration but that: the field is not exported. It is read
// all the same, because a remedy that asks another instance is none; should a later
// Caddy name it otherwise, remedies are as for the usual address.
func adminAddress(ctx caddy.Context) string {
	config := reflect.ValueOf(ctx).FieldByName("cfg")
	if !config.IsValid() || config.Type() != reflect.TypeFor[*caddy.Config]() || config.IsNil() {
		return ""
	}
	admin := config.Elem().FieldByName("Admin")
	if admin.IsNil() {
		return caddy.DefaultAdminListen
	}
	switch listen := admin.Elem().FieldByName("Listen").String(); {
	case admin.Elem().FieldByName("Disabled").Bool():
		return ""
	case listen == "":
		return caddy.DefaultAdminListen
	default:
		return listen
	}
}
