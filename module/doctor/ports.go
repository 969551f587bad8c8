package doctor

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"lamplighter/module/adminapi"
	"lamplighter/module/listen"
)

// port looks who listens on an address of the configuration.
func (e *examination) port(a listen.Address) {
	const step = "ports"
	holders := a.Holders()
	var others []string
	for _, p := range holders {
		if !p.Own {
			others = append(others, p.String())
		}
	}
	if e.Running {
		if len(others) > 0 {
			e.add(step, adminapi.VerdictFailed, a.String()+" is shared with "+strings.Join(others, ", "), "stop the other process, or let one of them listen on another address: "+a.Shared())
			return
		}
		e.ok(step, a.String()+" is this instance's alone")
		return
	}
	err := a.Try(e.ctx)
	switch {
	case err == nil:
		e.ok(step, a.String()+" is free")
	case errors.Is(err, listen.ErrInUse):
		who := "somebody"
		if len(others) > 0 {
			who = strings.Join(slices.Compact(others), ", ")
		}
		e.add(step, adminapi.VerdictFailed, a.String()+" is in use by "+who, "stop that process, or choose another address; if it is an instance of lamplighter, ask it with --address <its admin address>")
	case e.forbidden(err):
		e.strange(step, err.Error())
	case errors.Is(err, fs.ErrPermission):
		e.add(step, adminapi.VerdictFailed, err.Error(), "choose a port above 1023, or give the binary the right: setcap cap_net_bind_service=+ep <binary>, or AmbientCapabilities in the systemd unit")
	default:
		e.add(step, adminapi.VerdictFailed, err.Error(), "correct the address that the site listens on (bind): it must be one of this machine")
	}
}
