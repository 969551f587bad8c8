package adminapi

import "strings"

// WithFlags adds flags, such as those of another admin address, to the commands in a text,
// so that they can be pasted.
func WithFlags(text, flags string) string {
	const command = "lamplighter tokens "
	if flags == "" {
		return text
	}
	return strings.ReplaceAll(text, command, command+flags)
}
