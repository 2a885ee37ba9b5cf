-- Adds about :megabytes of rows (as pg_dump writes them), numbered on from those there are. Same seed, same rows.
-- What repeats in a shop repeats here, so that the whole compresses like one (zstd makes a quarter of it): a product has one price and
-- one size, writing is full of set phrases, a log has few paths and browsers, readings drift slowly. What does not
-- repeat is random to the last digit: moments of orders, names, sums, uuids; pictures and scans are noise.
SET timezone = 'UTC';
SET max_parallel_workers_per_gather = 0;
SELECT setseed(:seed / 1000000.0);

SELECT count(*) AS words FROM words \gset
SELECT coalesce(max(id), 0) AS customers FROM customers \gset
SELECT coalesce(max(id), 0) AS orders FROM orders \gset
SELECT coalesce(max(id), 0) AS events FROM events \gset
SELECT coalesce(max(id), 0) AS files FROM files \gset
SELECT coalesce(max(id), 0) AS attachments FROM attachments \gset

INSERT INTO customers (id, name, email, country, tags, credit, born, joined)
SELECT n,
  (array['Zoë', 'Łukasz', 'Anna', 'Omar', '雪', 'Ngọc', 'Иван', 'Pat', 'María', 'Kim'])[1 + n % 10] || ' ' || initcap(w.word) || CASE WHEN n % 97 = 0 THEN ' 🚣' ELSE '' END,
  w.word || n || '@' || (array['example.com', 'Example.org', 'mail.example', 'post.example'])[1 + (random() * 3)::integer],
  (array['DE', 'PL', 'FR', 'VN', 'JP', 'US'])[1 + (random() * 5)::integer],
  CASE (random() * 4)::integer WHEN 0 THEN '{}' WHEN 1 THEN array['vip', 'new'] WHEN 2 THEN array['"quoted"', 'a,b', NULL] ELSE array['news'] END,
  CASE WHEN random() < 0.7 THEN (random() * 5000)::numeric(12, 2) END,
  CASE WHEN random() < 0.5 THEN date '1950-01-01' + (random() * 20000)::integer END,
  timestamptz '2020-01-01 00:00+00' + random() * interval '6 years'
FROM generate_series(:customers + 1, :customers + 1 + (400 * :megabytes)::bigint) AS n
JOIN words AS w ON w.id = n * 7919 % :words;

INSERT INTO orders (id, customer_id, status, placed, shipped, total, note)
SELECT n, 1 + floor(random() * (:customers + 400 * :megabytes)), (enum_range(NULL::order_status))[1 + (random() * 3)::integer],
  placed, CASE WHEN random() < 0.8 THEN placed + random() * interval '9 days' END, (random() * random() * 900)::numeric(12, 2),
  CASE WHEN random() < 0.1 THEN 'please leave it at number ' || (random() * 200)::integer END
FROM (SELECT n, timestamptz '2026-01-01 00:00+00' + n * interval '23 seconds' + random() * interval '1 hour' AS placed
      FROM generate_series(:orders + 1, :orders + 1 + (1200 * :megabytes)::bigint) AS n) AS arrival;

INSERT INTO order_items (order_id, line, sku, quantity, price, size)
SELECT n, line, 'SKU-' || lpad(product::text, 6, '0'), 1 + floor(random() * random() * 6), (product * 7919 % 20000 / 100.0)::numeric(10, 2),
  CASE WHEN product % 5 = 0 THEN row(product * 31 % 900, 100 * (product % 9), NULL)::dimensions END
FROM (SELECT n, line, floor(random() * random() * 20000)::integer AS product
      FROM generate_series(:orders + 1, :orders + 1 + (1200 * :megabytes)::bigint) AS n, generate_series(1, 1 + n % 6) AS line) AS sold;

INSERT INTO events (at, kind, payload)
SELECT timestamptz '2026-01-01 00:00+00' + n * interval '29 seconds' + random() * interval '29 seconds', kind,
  jsonb_build_object('session', md5((n / 40 * 40 + floor(random() * 5))::text), 'path', '/' || w.word || '/' || (w.id * 7 + (random() * 5)::integer), 'ms', (random() * random() * 4000)::integer,
    'agent', (array['Firefox/143.0 (X11; Linux x86_64)', 'Safari/19.1 (Macintosh; Intel Mac OS X)', 'curl/8.14.1'])[1 + (random() * 2)::integer],
    'cart', CASE WHEN kind = 'order' THEN jsonb_build_array((random() * 20000)::integer, jsonb_build_object('sku', (random() * 20000)::integer, 'gift', NULL)) END)
FROM (SELECT n, (array['view', 'view', 'view', 'search', 'order'])[1 + (random() * 4)::integer] AS kind, floor(random() * random() * :words)::integer AS w
      FROM generate_series(:events + 1, :events + (1500 * :megabytes)::bigint) AS n) AS happening
JOIN words AS w ON w.id = happening.w;

-- Words, and below zero phrases of four to twelve of them.
CREATE TEMPORARY TABLE writing AS
SELECT id, word AS text FROM words
UNION ALL
SELECT -n, string_agg(w.word, ' ' ORDER BY part)
FROM generate_series(1, :words / 2) AS n CROSS JOIN LATERAL generate_series(1, 4 + n % 9) AS part
JOIN words AS w ON w.id = abs(hashint8extended(n * 16 + part, 1)) % :words
GROUP BY n;
ANALYZE writing;

INSERT INTO documents
SELECT md5(random()::text)::uuid, 'About ' || n, body, timestamptz '2026-01-01 00:00+00' + random() * interval '300 days'
FROM generate_series(1, (200 * :megabytes)::bigint) AS n,
  LATERAL (SELECT string_agg(text, ' ') AS body
           FROM (SELECT CASE WHEN random() < 0.8 THEN floor(random() * random() * :words) ELSE -1 - floor(random() * random() * (:words / 2)) END::integer AS id
                 FROM generate_series(1, 5 + (n * 37 % 130)::integer)) AS pick JOIN writing USING (id)) AS essay;

INSERT INTO files (id, name, content)
SELECT n, 'photo-' || n || '.jpg',
  (SELECT string_agg(sha512(convert_to(format('%s %s %s', :seed, n, block), 'UTF8')), '') FROM generate_series(1, 64 + (n % 500)::integer) AS block)
FROM generate_series(:files + 1, :files + 1 + (1.3 * :megabytes)::bigint) AS n;

INSERT INTO measurements
SELECT n % 40, date_trunc('second', timestamptz '2026-01-01 00:00+00' + n / (3500.0 * :megabytes) * interval '400 days') + floor(random() * 90) * interval '1 millisecond',
  CASE WHEN random() < 0.99 THEN round((15 + n % 40 / 4 + 6 * sin(n / 11520.0) + random() / 2)::numeric, 1)::double precision ELSE 'NaN' END,
  CASE WHEN random() < 0.9 THEN 50 + round(20 * sin(n / 9000.0)) + (random() * 2)::integer END
FROM generate_series(1, (3500 * :megabytes)::bigint) AS n;

INSERT INTO attachments (id, name, object)
SELECT n, 'scan ' || n, lo_from_bytea((700000 + n)::oid, (SELECT string_agg(sha512(convert_to(format('%s %s', n, block % 700), 'UTF8')), '') FROM generate_series(1, 500 + (n % 1000)::integer) AS block))
FROM generate_series(:attachments + 1, :attachments + 1 + (0.6 * :megabytes)::bigint) AS n;

SELECT format('SELECT setval(pg_get_serial_sequence(%L, %L), max(id)) FROM %I', name, 'id', name)
FROM unnest(array['customers', 'orders', 'files', 'attachments']) AS name \gexec
