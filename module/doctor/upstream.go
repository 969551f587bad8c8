package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"lamplighter/module/adminapi"
)

// Upstream is where requests with a client's token go.
type Upstream struct {
	// Client is the client's name.
	Client string

	// Address is the upstream's, as a person would write it.
	Address string

	// Why says that it cannot be asked, because it is known only with a request; "" if it
	// can.
	Why string

	// Hosts are the names to ask it by: the one that requests have, and then others that
	// it may want.
	Hosts []string

	// Ask makes a request of it by that name, without any token: HEAD /.
	Ask func(ctx context.Context, host string) (status int, err error)

	// Explain names the cause of an error of Ask, and says what to do about it.
	Explain func(err error) (cause, detail, remedy string)
}

// upstream asks one whether it is there, and by which name.
func (e *examination) upstream(u Upstream) {
	const step = "upstream"
	if u.Why != "" {
		e.skip(step, u.Address+" "+u.Why)
		return
	}
	ask := func(host string) (int, error) {
		ctx, cancel := context.WithTimeout(e.ctx, patience)
		defer cancel()
		return u.Ask(ctx, host)
	}
	status, err := ask(u.Hosts[0])
	if err != nil {
		cause, detail, remedy := u.Explain(err)
		e.add(step, adminapi.VerdictFailed, cause+": "+u.Address+" "+detail, remedy)
		return
	}
	said := fmt.Sprintf("%s answers %d to a request without a token for the host %s", u.Address, status, u.Hosts[0])
	if !wantsAnother(status) {
		e.ok(step, said)
		return
	}
	for _, host := range u.Hosts[1:] {
		if other, err := ask(host); err == nil && !wantsAnother(other) {
			e.add(step, adminapi.VerdictWarning, fmt.Sprintf("%s, and %d for %s: it wants that name", said, other, host), "add 'header_up Host "+host+"' to the block of the upstream")
			return
		}
	}
	if status == http.StatusMisdirectedRequest {
		e.add(step, adminapi.VerdictWarning, said+": it serves another name", "add 'header_up Host <name>' to the block of the upstream, with a name that it serves")
		return
	}
	e.ok(step, said)
}

// wantsAnother reports whether a status may mean that the name is none of the upstream's.
func wantsAnother(status int) bool {
	return slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusMisdirectedRequest}, status)
}
