package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// examples returns the blocks of docs/serving.md in a language, as many as there
// are to be: what is measured is what operators are told to write.
func (b *bench) examples(language string, number int) (blocks []string, err error) {
	page, err := os.ReadFile(filepath.Join(b.root, "docs", "serving.md"))
	if err != nil {
		return nil, err
	}
	for _, block := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		blocks = append(blocks, block[1])
	}
	if len(blocks) != number {
		return nil, fmt.Errorf("docs/serving.md has %d examples in %s instead of %d", len(blocks), language, number)
	}
	return blocks, nil
}

// replaced makes replacements in a text, each of which must be possible.
func replaced(text string, pairs ...string) (string, error) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			return "", fmt.Errorf("there is no %q in:\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text, nil
}
