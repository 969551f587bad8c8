package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"lamplighter/module/store"
)

// Open connects, proves that the server is a primary which keeps what it acknowledged, and
// that all rights are there. It leaves nothing behind.
func (e *Engine) Open(ctx context.Context) error {
	err := e.on(ctx, func(ctx context.Context, _ *call, conn *redis.Conn) error {
		// What it says to anybody: the line that gives rights depends on it.
		greeting, err := conn.Hello(ctx, 2, "", "", "").Result()
		if err != nil {
			return err
		}
		version, _ := greeting["version"].(string)
		e.waitAOF.Store(e.durability.kind == byFile && info{"redis_version": version}.atLeast(7, 2))
		text, err := conn.Info(ctx).Result()
		if err != nil {
			return err
		}
		waitAOF, err := e.durability.safe(readInfo(text), func(name string) (string, error) {
			values, err := conn.ConfigGet(ctx, name).Result()
			return values[name], err
		})
		if err == nil {
			e.waitAOF.Store(waitAOF)
		}
		return err
	})
	if err != nil {
		return err
	}
	return e.allowed(ctx)
}

// allowed proves rights by doing, under names that no object has, all that is done later.
func (e *Engine) allowed(ctx context.Context) error {
	probe, holder := ".open-"+rand.Text(), rand.Text()
	taken, _, err := e.Acquire(ctx, probe, holder, "")
	if err != nil {
		return err
	}
	if taken == nil {
		return fmt.Errorf("%w: a lease that nobody knows is not free", store.ErrUnavailable)
	}
	if err := taken.Renew(ctx); err != nil {
		return err
	}
	if err := taken.Release(ctx); err != nil {
		return err
	}
	if _, err := e.fetch(ctx, []string{probe}, true); err != nil {
		return err
	}
	return e.on(ctx, func(ctx context.Context, _ *call, conn *redis.Conn) error {
		if err := conn.Publish(ctx, e.keys.channel(), "").Err(); err != nil {
			return err
		}
		if err := conn.Scan(ctx, 0, e.keys.pattern(), 1).Err(); err != nil {
			return err
		}
		switch {
		case e.durability.kind == byReplicas:
			return conn.Do(ctx, "WAIT", 0, 1).Err()
		case e.waitAOF.Load():
			return conn.Do(ctx, "WAITAOF", 0, 0, 1).Err()
		}
		return nil
	})
}

// acl is the line that gives a user its rights.
func (e *Engine) acl() string {
	user, _, err := e.source.credentials()
	if err != nil || user == "" {
		user = "default"
	}
	commands := strings.Fields("eval ping info hmget hset hstrlen pexpire del time publish subscribe unsubscribe scan")
	switch {
	case e.durability.kind == byReplicas:
		commands = append(commands, "config|get", "wait")
	case e.durability.kind == byFile && e.waitAOF.Load():
		commands = append(commands, "config|get", "waitaof")
	case e.durability.kind == byFile:
		commands = append(commands, "config|get")
	}
	if e.source.database != 0 {
		commands = append(commands, "select")
	}
	return fmt.Sprintf("ACL SETUSER %s on ~%s* &%s* +%s", user, string(e.keys), string(e.keys), strings.Join(commands, " +"))
}
