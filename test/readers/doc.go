// Package readers tries programs and libraries that read a token which somebody else keeps
// fresh: from the files of token_file, and as tokens print prints it.
package readers
