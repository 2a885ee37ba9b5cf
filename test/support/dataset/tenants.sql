-- A shop of several tenants, with every kind of thing that can belong to a table.
CREATE SCHEMA app;
CREATE SCHEMA other;
CREATE EXTENSION citext SCHEMA public;
CREATE TYPE app.status AS ENUM ('new', 'paid', 'gone');
COMMENT ON TYPE app.status IS 'of an order';
CREATE DOMAIN app.amount AS numeric(12, 2) CHECK (VALUE >= 0);
CREATE FUNCTION app.code() RETURNS text LANGUAGE sql AS $$SELECT 'x' || '1'$$;
COMMENT ON FUNCTION app.code() IS 'makes a code';
CREATE FUNCTION app.sees(t int) RETURNS boolean LANGUAGE sql STABLE AS $$SELECT t = pg_catalog.current_setting('app.tenant', true)::int$$;
CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.code := coalesce(NEW.code, 'none'); RETURN NEW; END$$;
CREATE FUNCTION app.unused() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE app.tenants (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name public.citext NOT NULL UNIQUE);
CREATE TABLE app.members (tenant int REFERENCES app.tenants, role text, PRIMARY KEY (tenant, role));
CREATE SEQUENCE app.shared START 1000;
CREATE TABLE app.orders (
  id bigserial,
  tenant int NOT NULL CONSTRAINT of_tenant REFERENCES app.tenants,
  at date NOT NULL,
  status app.status NOT NULL DEFAULT 'new',
  total app.amount,
  code text DEFAULT app.code(),
  number bigint DEFAULT nextval('app.shared'),
  PRIMARY KEY (id, at, tenant),
  CONSTRAINT positive CHECK (total < 1e9)
) PARTITION BY RANGE (at);
CREATE TABLE app.orders_2025 PARTITION OF app.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE app.orders_2026 PARTITION OF app.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (tenant);
CREATE TABLE app.orders_2026_1 PARTITION OF app.orders_2026 FOR VALUES IN (1);
CREATE TABLE app.orders_2026_others PARTITION OF app.orders_2026 DEFAULT;
CREATE INDEX orders_status ON app.orders (status);
CREATE INDEX orders_2025_total ON app.orders_2025 (total);
CREATE STATISTICS app.orders_together (dependencies) ON tenant, status FROM app.orders;
CREATE TRIGGER stamp BEFORE INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.stamp();
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.orders FORCE ROW LEVEL SECURITY;
ALTER TABLE app.orders_2025 ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.orders USING (app.sees(tenant));
CREATE POLICY membership ON app.orders_2025 USING (EXISTS (SELECT FROM app.members m WHERE m.tenant = orders_2025.tenant AND m.role = CURRENT_USER));
COMMENT ON TABLE app.orders IS 'Orders of all tenants';
COMMENT ON COLUMN app.orders.total IS 'in euro';
COMMENT ON POLICY own ON app.orders IS 'isolation';
COMMENT ON CONSTRAINT positive ON app.orders IS 'a limit';
COMMENT ON INDEX app.orders_status IS 'for the list';
COMMENT ON STATISTICS app.orders_together IS 'for the planner';
COMMENT ON TRIGGER stamp ON app.orders IS 'fills in';
COMMENT ON SEQUENCE app.orders_id_seq IS 'numbers';
GRANT USAGE ON SCHEMA app TO tenant, app_owner;
GRANT SELECT, INSERT ON app.orders TO tenant;
GRANT SELECT ON app.orders_2025 TO tenant;
GRANT SELECT (id), UPDATE (name) ON app.tenants TO tenant;
GRANT USAGE ON SEQUENCE app.orders_id_seq TO tenant;
GRANT USAGE ON TYPE app.status TO tenant;
GRANT EXECUTE ON FUNCTION app.code() TO tenant;
ALTER TABLE app.orders OWNER TO app_owner;
ALTER TABLE app.orders_2025 REPLICA IDENTITY FULL;
CREATE TABLE app.items (id int PRIMARY KEY, order_id bigint, at date, tenant int, CONSTRAINT of_order FOREIGN KEY (order_id, at, tenant) REFERENCES app.orders (id, at, tenant));
CREATE TABLE app.invoices (id int PRIMARY KEY, status app.status);
CREATE TABLE app.self (id int PRIMARY KEY, parent int REFERENCES app.self);
CREATE TABLE other.parent (a int);
CREATE TABLE other.child (b int) INHERITS (other.parent);
CREATE RULE keep AS ON DELETE TO other.parent DO INSTEAD NOTHING;
CREATE VIEW app.open AS SELECT id, tenant FROM app.orders WHERE status = 'new';
CREATE MATERIALIZED VIEW app.totals AS SELECT tenant, sum(total) FROM app.orders GROUP BY 1;
CREATE MATERIALIZED VIEW app.grand AS SELECT sum(sum) FROM app.totals;
CREATE MATERIALIZED VIEW app.empty AS SELECT tenant FROM app.orders WITH NO DATA;
CREATE PUBLICATION changes FOR TABLE app.orders;
CREATE TABLE app."odd, name " (id int);
CREATE TABLE app."two
lines" (id int);
CREATE SCHEMA "dotted.schema";
CREATE TABLE "dotted.schema"."a.b" (id int);
INSERT INTO app.tenants (name) VALUES ('a'), ('b');
INSERT INTO app.members VALUES (1, 'tenant');
INSERT INTO app.orders (tenant, at, total) SELECT 1 + i % 2, date '2025-06-01' + i, i FROM generate_series(1, 400) i;
INSERT INTO app.items SELECT row_number() OVER (), id, at, tenant FROM app.orders LIMIT 50;
INSERT INTO app.self VALUES (1, 1), (2, 1);
INSERT INTO other.parent VALUES (1);
INSERT INTO other.child VALUES (2, 2);
INSERT INTO app."odd, name " VALUES (1);
INSERT INTO app."two
lines" VALUES (2);
INSERT INTO "dotted.schema"."a.b" VALUES (3);
REFRESH MATERIALIZED VIEW app.totals;
REFRESH MATERIALIZED VIEW app.grand;
ANALYZE;
