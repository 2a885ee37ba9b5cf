-- What comes after the rows: keys, indexes, foreign keys, views, functions, triggers, policies.
ALTER TABLE customers ADD PRIMARY KEY (id), ADD UNIQUE (email);
ALTER TABLE orders ADD PRIMARY KEY (id);
ALTER TABLE order_items ADD PRIMARY KEY (order_id, line);
ALTER TABLE events ADD PRIMARY KEY (id);
ALTER TABLE documents ADD PRIMARY KEY (id);
ALTER TABLE files ADD PRIMARY KEY (id);
ALTER TABLE attachments ADD PRIMARY KEY (id);
ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON UPDATE CASCADE;
ALTER TABLE order_items ADD FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE warehouses ADD FOREIGN KEY (parent) REFERENCES warehouses (id);

CREATE INDEX ON customers USING gin (tags);
CREATE INDEX customers_lower_name ON customers (lower(name) DESC NULLS LAST) INCLUDE (country);
CREATE INDEX ON customers USING hash (country);
CREATE INDEX ON orders (customer_id);
CREATE INDEX orders_unshipped ON orders (placed) WHERE shipped IS NULL;
CREATE INDEX ON measurements USING brin (at);
CREATE INDEX ON warehouses USING gist (area);
COMMENT ON INDEX orders_unshipped IS 'what the packers look at';
CREATE STATISTICS order_shape (dependencies) ON status, shipped FROM orders;

CREATE VIEW open_orders AS SELECT o.id, o.placed, c.name FROM orders AS o JOIN customers AS c ON c.id = o.customer_id WHERE o.shipped IS NULL;
CREATE MATERIALIZED VIEW monthly_sales AS
  SELECT date_trunc('month', placed, 'UTC') AS month, status, count(*) AS orders, sum(total) AS total FROM orders GROUP BY 1, 2;
CREATE UNIQUE INDEX ON monthly_sales (month, status);

CREATE FUNCTION count_revision() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW.revision := OLD.revision + 1; -- a $$ and a 'quote'
  RETURN NEW;
END
$body$;
CREATE TRIGGER count_revision BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION count_revision();

CREATE FUNCTION audit.log_deletion() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  INSERT INTO audit.log (what, rows) SELECT 'deleted from ' || TG_TABLE_NAME, count(*) FROM gone;
  RETURN NULL;
END
$body$;
CREATE TRIGGER log_deletion AFTER DELETE ON orders REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION audit.log_deletion();
CREATE FUNCTION vat(amount numeric, rate numeric DEFAULT 0.19) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT round(amount * rate, 2)';
COMMENT ON FUNCTION vat(numeric, numeric) IS 'value added tax';

ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notes ON notes USING (owner = CURRENT_USER);
GRANT SELECT ON words, open_orders TO PUBLIC;
SELECT setval('invoice_numbers', 7654321);
