package redact

// printableError is an error whose text is fit to print. It is still the one that it
// was for errors.Is and errors.As.
// The text is only made when somebody wants it: at the first start of very many
// clients there is an error for each, that it has no record, which nobody prints.
type printableError struct{ err error }

// Error returns the text, fit to print.
func (e printableError) Error() string { return Text(e.err.Error()) }

// Unwrap returns the error.
func (e printableError) Unwrap() error { return e.err }

// Error makes the text of an error fit to print, whatever it quotes.
func Error(err error) error {
	if err == nil {
		return nil
	}
	return printableError{err}
}
