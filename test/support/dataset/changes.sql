-- A few days in the life of the shop: rows vanish and are vacuumed, rows all over the tables change. What is inserted
-- afterwards then lands in old pages, between rows that did not change.
SET timezone = 'UTC';
SET max_parallel_workers_per_gather = 0;
SELECT setseed(:seed / 1000000.0);

DELETE FROM orders WHERE random() < :delete_fraction;
DELETE FROM events WHERE random() < :delete_fraction;
DELETE FROM documents WHERE random() < :delete_fraction;
DELETE FROM measurements WHERE random() < :delete_fraction;
DELETE FROM files WHERE random() < :delete_fraction;
WITH gone AS (DELETE FROM attachments WHERE random() < :delete_fraction RETURNING object) SELECT lo_unlink(object) FROM gone;
VACUUM;

UPDATE customers SET credit = coalesce(credit, 0) + 10 WHERE random() < :update_fraction;
UPDATE orders SET status = 'returned', note = 'came back' WHERE random() < :update_fraction;
UPDATE order_items SET quantity = quantity + 1 WHERE random() < :update_fraction;
UPDATE events SET payload = payload || '{"seen": true}' WHERE random() < :update_fraction;
UPDATE documents SET body = body || ' (revised)' WHERE random() < :update_fraction;
UPDATE measurements SET celsius = celsius + 0.5 WHERE random() < :update_fraction;
SELECT lo_put(object, 1000, '\x0123456789') FROM attachments WHERE random() < :update_fraction;
VACUUM;
SELECT nextval('invoice_numbers');
