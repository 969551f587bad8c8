package tokenendpoint

import (
	"encoding/json"

	"lamplighter/module/internal/tokenendpoint/reading"
)

// DetailsMember is where an answer says what was granted of the authorization details that
// were asked for (RFC 9396 section 7).
const DetailsMember = "authorization_details"

// maxDetails bounds what is kept of them.
const maxDetails = 16 << 10

// granted returns what an answer says of that, as compact JSON, "" if nothing.
func granted(a *Answer, r *reading.Reply) string {
	list, ok := r.Value(DetailsMember).([]any)
	if !ok {
		return ""
	}
	text, err := json.Marshal(list)
	if err != nil || len(text) > maxDetails {
		a.remark("the authorization_details of the answer are longer than 16 KiB, and not kept to be shown", "ask the server for fewer")
		return ""
	}
	return string(text)
}
