-- Tables whose rows need others, or are not their own: partitions through their root, INSERT, rows before keys, triggers and privileges.
CREATE TABLE parents (id int PRIMARY KEY); CREATE TABLE children (id int REFERENCES parents, self int REFERENCES parents); CREATE INDEX ON children (id);
INSERT INTO parents SELECT generate_series(1, 500); INSERT INTO children SELECT g, 501 - g FROM generate_series(1, 500) g;
CREATE TABLE hashed (id int, text text) PARTITION BY HASH (id); CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO hashed SELECT g, md5(g::text) FROM generate_series(1, 400) g;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM children JOIN parents USING (id); CREATE UNIQUE INDEX ON counted (count); COMMENT ON INDEX counted_count_idx IS 'one';
CREATE MATERIALIZED VIEW later AS SELECT * FROM counted; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no rows now'; END$$;
CREATE TRIGGER refuse BEFORE INSERT ON parents FOR EACH ROW EXECUTE FUNCTION refuse(); CREATE ROLE loader; ALTER TABLE children OWNER TO loader; REVOKE ALL ON children FROM loader;
CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN IF tg_tag LIKE 'CREATE%' THEN RAISE 'no new objects'; END IF; END$$;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO loader; SELECT lo_from_bytea(0, 'one'), lo_from_bytea(4711, 'two'); COMMENT ON LARGE OBJECT 4711 IS 'a comment';
GRANT SELECT ON LARGE OBJECT 4711 TO loader; CREATE SEQUENCE numbers; SELECT nextval('numbers'), nextval('numbers'); ANALYZE; CREATE EVENT TRIGGER told ON ddl_command_start EXECUTE FUNCTION told();
