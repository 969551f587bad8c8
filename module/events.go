package module

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"lamplighter/module/internal/keeper"
)

// messages are the log messages of events, and how loud they are.
var messages = map[keeper.EventKind]struct {
	level   zapcore.Level
	message string
}{
	keeper.TokenObtained:       {zapcore.InfoLevel, "token obtained"},
	keeper.RefreshTokenRotated: {zapcore.DebugLevel, "refresh token rotated"},
	keeper.TokenRestored:       {zapcore.InfoLevel, "token restored from its record"},
	keeper.TokenRefreshFailed:  {zapcore.WarnLevel, "token request failed"},
	keeper.GrantLost:           {zapcore.ErrorLevel, "grant lost"},
	keeper.SeedRefused:         {zapcore.ErrorLevel, "new refresh token refused"},
	keeper.RotationMissing:     {zapcore.WarnLevel, "refresh token was not rotated"},
	keeper.LifetimeMissing:     {zapcore.WarnLevel, "token has no usable lifetime"},
	keeper.StoreFailed:         {zapcore.ErrorLevel, "record cannot be written"},
	keeper.StoreRecovered:      {zapcore.InfoLevel, "record is written"},
	keeper.Troubled:            {zapcore.ErrorLevel, "client is not able to work"},
}

// report logs what happened to a client.
func report(logger *zap.Logger, e keeper.Event) {
	m, ok := messages[e.Kind]
	if !ok {
		m.level, m.message = zapcore.WarnLevel, string(e.Kind)
	}
	entry := logger.Check(m.level, m.message)
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("client", e.Client),
		zap.String("event", string(e.Kind)),
		zap.Uint64("generation", e.Generation),
	}
	add := func(when bool, f zap.Field) {
		if when {
			fields = append(fields, f)
		}
	}
	working := e.Kind == keeper.TokenObtained || e.Kind == keeper.TokenRestored
	add(working, zap.Duration("expires_in", time.Until(e.ExpiresAt).Round(time.Millisecond)))
	add(working, zap.Duration("next_refresh_in", time.Until(e.NextRefresh).Round(time.Millisecond)))
	add(e.Duration > 0, zap.Duration("duration", e.Duration))
	add(e.Status > 0, zap.Int("status", e.Status))
	add(e.Cause != "", zap.String("cause", e.Cause))
	add(e.Detail != "", zap.String("detail", e.Detail))
	add(e.Remedy != "", zap.String("remedy", e.Remedy))
	add(e.Kind == keeper.TokenRefreshFailed && e.RetryIn > 0, zap.Duration("retry_in", e.RetryIn.Round(time.Millisecond)))
	entry.Write(fields...)
}
