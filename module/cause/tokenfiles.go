package cause

// ofTokenFiles are why a file does not hold the token that it should. They stop nothing else.
var ofTokenFiles = []Cause{
	{"token_file_failed", "", TokenFile, false,
		"{file} cannot be written, so that whoever reads it finds an older token, or none",
		"let this process make and rename files in its directory, on a disk that has room; it is tried again every few seconds"},
	{"token_file_failed", "slow", TokenFile, false,
		"writing {file} has not ended",
		"find out why its file system hangs, or choose another one: a directory in memory is best, such as one below /run"},
	{"token_file_failed", "group", TokenFile, false,
		"{file} cannot be given its group, so that whoever reads it finds an older token, or none",
		"name a group that this machine has, and that the user of this process is in"},
	{"token_file_failed", "unfit", TokenFile, false,
		"the token cannot be shown in {file} in its format, so that it says that there is none",
		"take out of the format what holds that value, or let the format be a template that is JSON, which escapes it"},
	{"token_file_exposed", "", TokenFile, false,
		"{file} is where others could put another one, so nothing is written there",
		"choose a directory that belongs to the user of this process or to root, and that nobody else may write to, and a path without a symbolic link that others could have put there"},
	{"token_file_exposed", "changed", TokenFile, true,
		"somebody else has changed or removed {file}; it was written anew",
		"none needed if it passes; otherwise find out who writes there: another client or instance needs a path of its own"},
}
