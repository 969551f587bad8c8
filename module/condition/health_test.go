package condition

import (
	"testing"

	"lamplighter/module/adminapi"
)

// Of several clients the worst counts, so that the order of the words is a promise.
func TestOfTwoClientsTheOneThatIsWorseCounts(t *testing.T) {
	away := false
	worse := []adminapi.ClientStatus{
		{Token: "valid", State: "ok"},
		{Token: "valid", State: "ok", StoreUp: &away},
		{Token: "none", State: adminapi.StateBackoff},
		{Token: "valid", State: adminapi.StateGrantLost},
	}
	for i := 1; i < len(worse); i++ {
		if Of(worse[i]) <= Of(worse[i-1]) {
			t.Errorf("%+v counts no more than %+v", worse[i], worse[i-1])
		}
	}
}
