package observe

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"lamplighter/module/tokenfile"
)

// ReportFile logs that a client's token file was written, and what is wrong with it.
func ReportFile(logger *zap.Logger, client string, f tokenfile.State, written bool) {
	level, message := zapcore.InfoLevel, "token file is as it should be again"
	switch {
	case f.Trouble != nil && !f.Trouble.Lasts():
		level, message = zapcore.WarnLevel, "token file was written anew"
	case f.Trouble != nil && written:
		level, message = zapcore.ErrorLevel, "token file says that there is no token, for it cannot hold this one"
	case f.Trouble != nil:
		level, message = zapcore.ErrorLevel, "token file cannot be written"
	case written && f.Generation == 0:
		message = "token file says that there is no token"
	case written:
		message = "token written to a file"
	}
	fields := []zap.Field{zap.String("client", client), zap.String("file", f.Path), zap.String("format", f.Format)}
	if f.Generation != 0 {
		fields = append(fields, zap.Uint64("generation", f.Generation))
	}
	if t := f.Trouble; t != nil {
		fields = append(fields, zap.String("cause", t.Cause), zap.String("detail", t.Detail), zap.String("remedy", t.Remedy))
	}
	logger.Log(level, message, fields...)
}
