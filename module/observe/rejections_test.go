package observe

import (
	"fmt"
	"testing"
	"time"

	"lamplighter/module/adminapi"
)

func TestRejectionsAreToldOfAtGrowingIntervals(t *testing.T) {
	var r Rejections
	at, told := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), 0
	for range 24 * 3600 {
		at = at.Add(time.Second)
		if _, _, tell := r.add("api", adminapi.Rejection{At: at, Upstream: "https://api", Status: 401, Error: fmt.Sprint(at.UnixNano())}); tell {
			told++
		}
	}
	if told < 20 || told > 32 {
		t.Errorf("of a day of rejections is told %d times, want the first few and then once in an hour", told)
	}
}

// Whoever may choose the upstream chooses its name.
func TestManyUpstreamsFillNeitherMemoryNorLog(t *testing.T) {
	var r Rejections
	at, told := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), 0
	for i := range 10000 {
		host := fmt.Sprint("host-", i)
		if _, _, tell := r.add(host, adminapi.Rejection{At: at, Upstream: host, Status: 401}); tell {
			told++
		}
	}
	if len(r.runs) > mostRejecting || len(r.rows) > mostRejecting+1 || told > mostRejecting+1 {
		t.Errorf("%d runs and %d rows are kept, and it is told of %d", len(r.runs), len(r.rows), told)
	}
}

func TestOneUpstreamDoesNotHideThatAnotherRejects(t *testing.T) {
	var r Rejections
	at := time.Now()
	for range rejectedInARow {
		if _, lasting := r.Last(); lasting {
			t.Fatal("lasts too early")
		}
		r.add("bad", adminapi.Rejection{At: at, Upstream: "bad", Status: 401})
		r.Accepted("good")
	}
	if _, lasting := r.Last(); !lasting || r.longest() != rejectedInARow {
		t.Errorf("after %d in a row it does not last", rejectedInARow)
	}
	r.Accepted("bad")
	if last, lasting := r.Last(); lasting || last == nil || r.longest() != 0 {
		t.Error("it lasts after an answer that accepts the token")
	}
}

func TestCausesThatAServerInventsMakeNoSeries(t *testing.T) {
	var r Requests
	for i := range 1000 {
		r.Count(Unavailable, fmt.Sprint("code_", i))
	}
	r.Count(Unavailable, "server_error")
	r.Count(Refused, "caller_refused")
	got := make(map[string]uint64)
	r.each(func(n uint64, outcome, why string) { got[outcome+" "+why] = n })
	if len(got) != 5 || got["unavailable other"] != 1000 || got["unavailable server_error"] != 1 || got["refused caller_refused"] != 1 {
		t.Errorf("the series are %v", got)
	}
	counts, last := r.Shown()
	if counts != (adminapi.RequestCounts{Unavailable: 1001, Refused: 1}) || last == nil || last.Cause != "caller_refused" {
		t.Errorf("shows %+v %+v", counts, last)
	}
}
