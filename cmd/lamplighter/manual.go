package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// asMarkdown makes the texts of all commands what the generator of the manual takes them
// for: Markdown, in which <client> would be HTML, and a table one paragraph.
func asMarkdown(cmd *cobra.Command) {
	cmd.Use, cmd.Short, cmd.Long = escaped(cmd.Use), escaped(cmd.Short), paragraphs(cmd.Long)
	for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) { f.Usage = escaped(f.Usage) })
	}
	for _, sub := range cmd.Commands() {
		asMarkdown(sub)
	}
}

var angles = strings.NewReplacer(`\<`, `\<`, `\>`, `\>`, "<", `\<`, ">", `\>`)

// escaped is a text with its angle brackets as such. One that is already stays so.
func escaped(text string) string { return angles.Replace(text) }

// paragraphs escapes what is text, and has indented lines be a block as they are.
func paragraphs(long string) string {
	var b strings.Builder
	inBlock := false
	for line := range strings.Lines(long) {
		indented := strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t")
		switch {
		case indented && !inBlock:
			b.WriteString("\n")
			fallthrough
		case indented:
			line = "    " + line
		case strings.TrimSpace(line) != "":
			line = escaped(line)
		}
		if strings.TrimSpace(line) != "" {
			inBlock = indented
		}
		b.WriteString(line)
	}
	return b.String()
}
