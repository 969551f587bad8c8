package proxies

import (
	"regexp"
	"testing"

	"lamplighter/test/internal/rig"
)

// documented are the blocks of docs/serving.md in a language, as many as there are to be.
func documented(t *testing.T, language string, number int) (blocks []string) {
	t.Helper()
	for _, block := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(rig.ServingPage(t), -1) {
		blocks = append(blocks, block[1])
	}
	if len(blocks) != number {
		t.Fatalf("the page has %d blocks for %s", len(blocks), language)
	}
	return blocks
}
