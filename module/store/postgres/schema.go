package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"lamplighter/module/store"
)

// tables are the names of an engine's tables, quoted where they have to be, and of its
// channel.
type tables struct {
	prefix                  string
	records, claims, leases string
}

func tablesOf(prefix string) tables {
	quote := func(suffix string) string {
		return pgx.Identifier(strings.Split(prefix+suffix, ".")).Sanitize()
	}
	return tables{prefix, quote("_records"), quote("_claims"), quote("_leases")}
}

// of returns the table and the key of an object.
func (t tables) of(name string) (table, key string) {
	if part, ok := store.ClaimsPart(name); ok {
		return t.claims, part
	}
	return t.records, name
}

// creation is the SQL that makes the tables.
func (t tables) creation() []string {
	objects := `CREATE TABLE IF NOT EXISTS %s (name text PRIMARY KEY, data bytea NOT NULL, tag text NOT NULL, written timestamptz NOT NULL)`
	return []string{
		fmt.Sprintf(objects, t.records),
		fmt.Sprintf(objects, t.claims),
		fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (name text PRIMARY KEY, holder text NOT NULL, tag text NOT NULL)`, t.leases),
	}
}

// rights are what a role needs of each table.
func (t tables) rights() map[string][]string {
	return map[string][]string{
		t.records: {"SELECT", "INSERT", "UPDATE"},
		t.claims:  {"SELECT", "INSERT", "UPDATE"},
		t.leases:  {"SELECT", "INSERT", "UPDATE", "DELETE"},
	}
}

// grants is the SQL that gives a role its rights.
func (t tables) grants(role string) []string {
	to := pgx.Identifier{role}.Sanitize()
	list := []string{
		fmt.Sprintf("GRANT SELECT, INSERT, UPDATE ON %s, %s TO %s", t.records, t.claims, to),
		fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %s", t.leases, to),
	}
	if schema, _, ok := strings.Cut(t.prefix, "."); ok {
		list = append([]string{fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", pgx.Identifier{schema}.Sanitize(), to)}, list...)
	}
	return list
}

// script is SQL for a human to run.
func script(parts ...[]string) string {
	var b strings.Builder
	for _, part := range parts {
		for _, line := range part {
			b.WriteString(line + "; ")
		}
	}
	return strings.TrimSpace(b.String())
}

// prepare makes tables that are missing, and proves that they can be used.
func (t tables) prepare(ctx context.Context, conn *pgx.Conn, role string) error {
	missing, err := t.missing(ctx, conn)
	if err == nil && missing {
		err = t.create(ctx, conn)
	}
	if code(err) == "42501" {
		return fmt.Errorf("%w: the role %s may not make the tables: run this as their owner: %s", store.ErrRefused, pgx.Identifier{role}.Sanitize(), script(t.creation(), t.grants(role)))
	}
	if err != nil {
		return err
	}
	for table, rights := range t.rights() {
		var lacking []string
		err := conn.QueryRow(ctx, `SELECT coalesce(array_agg(r), '{}') FROM unnest($2::text[]) r WHERE NOT has_table_privilege($1::text, r)`, table, rights).Scan(&lacking)
		if err != nil {
			return err
		}
		if len(lacking) > 0 {
			return fmt.Errorf("%w: the role %s lacks %s on %s: run this as its owner: %s", store.ErrRefused, pgx.Identifier{role}.Sanitize(), strings.Join(lacking, ", "), table, script(t.grants(role)))
		}
	}
	for _, probe := range []string{
		"SELECT name, data, tag, written FROM " + t.records + " LIMIT 0",
		"SELECT name, data, tag, written FROM " + t.claims + " LIMIT 0",
		"SELECT name, holder, tag FROM " + t.leases + " LIMIT 0",
	} {
		if _, err := conn.Exec(ctx, probe); err != nil {
			if code(err) == "42703" {
				return fmt.Errorf("%w: a table of that name has other columns: choose another name with 'table', or drop it; Lamplighter's are made by: %s", store.ErrRefused, script(t.creation()))
			}
			return err
		}
	}
	return nil
}

func (t tables) missing(ctx context.Context, conn *pgx.Conn) (missing bool, err error) {
	err = conn.QueryRow(ctx, `SELECT to_regclass($1) IS NULL OR to_regclass($2) IS NULL OR to_regclass($3) IS NULL`, t.records, t.claims, t.leases).Scan(&missing)
	return missing, err
}

// create makes the tables, one replica at a time: CREATE TABLE IF NOT EXISTS fails where
// two do it at once.
func (t tables) create(ctx context.Context, conn *pgx.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext($1))`, "lamplighter "+t.prefix); err != nil {
			return err
		}
		for _, sql := range t.creation() {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}
