package condition

import (
	"testing"
	"time"
)

func TestWhatLastsIsSaidAsPeopleSayIt(t *testing.T) {
	for d, want := range map[time.Duration]string{
		90 * 24 * time.Hour: "90d", 24 * time.Hour: "1d", 24*time.Hour - 1: "23h", time.Hour: "1h", 59 * time.Minute: "59m",
		59 * time.Second: "59s", 0: "0s", -time.Hour: "0s",
	} {
		if got := Roughly(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
