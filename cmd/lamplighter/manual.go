package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// ownManual has the command that writes the manual write that of this binary, not Caddy's.
func ownManual(root *cobra.Command) {
	asMarkdown(root)
	for _, cmd := range root.Commands() {
		if cmd.Name() == "manpage" {
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				dir, err := cmd.Flags().GetString("directory")
				if err != nil {
					return err
				}
				return writeManual(root, dir)
			}
		}
	}
}

// writeManual writes a page for each command, which is called after it.
func writeManual(root *cobra.Command, dir string) error {
	if strings.TrimSpace(dir) == "" {
		return errors.New("say where the manual is to be written: --directory <path>")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true // who wrote it, and when, which is in the header
	return doc.GenManTree(root, &doc.GenManHeader{Section: "8", Source: "Lamplighter", Manual: "Lamplighter"}, dir)
}

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
