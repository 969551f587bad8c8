package placeholder

import "testing"

func TestOnlyAPasswordThatIsInTheURLIsALiteral(t *testing.T) {
	for place, want := range map[string]bool{
		"": false, "none": false, "http://proxy:3128": false, "http://sidecar@proxy": false, "http://sidecar:{env.PW}@proxy": false, "{file./proxy}": false,
		"http://{env.USER}:s3cret@proxy": true, "socks5://a:b@c:1080": true, "http://a:b@c@proxy": true,
	} {
		if got := HasLiteralPassword(place); got != want {
			t.Errorf("%s: %v", place, got)
		}
	}
}
