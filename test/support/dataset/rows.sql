-- Adds about :megabytes of rows (as pg_dump writes them), numbered on from those there are. Same seed, same rows.
SET timezone = 'UTC';
SET max_parallel_workers_per_gather = 0;
SELECT setseed(:seed / 1000000.0);

SELECT count(*) AS words FROM words \gset
SELECT coalesce(max(id), 0) AS customers FROM customers \gset
SELECT coalesce(max(id), 0) AS orders FROM orders \gset
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
SELECT n, line, 'SKU-' || lpad((floor(random() * random() * 20000))::text, 6, '0'), 1 + (random() * 6)::integer, (random() * 200)::numeric(10, 2),
  CASE WHEN random() < 0.2 THEN row((random() * 900)::integer, 100 * (random() * 9)::integer, NULL)::dimensions END
FROM generate_series(:orders + 1, :orders + 1 + (1200 * :megabytes)::bigint) AS n, generate_series(1, 1 + n % 6) AS line;

INSERT INTO events (at, kind, payload)
SELECT timestamptz '2026-01-01 00:00+00' + n * interval '29 seconds', kind,
  jsonb_build_object('session', md5((n / 40 * 40 + floor(random() * 5))::text), 'path', '/' || w.word || '/' || (random() * 900)::integer, 'ms', (random() * random() * 4000)::integer,
    'agent', (array['Firefox/143.0 (X11; Linux x86_64)', 'Safari/19.1 (Macintosh; Intel Mac OS X)', 'curl/8.14.1'])[1 + (random() * 2)::integer],
    'cart', CASE WHEN kind = 'order' THEN jsonb_build_array((random() * 20000)::integer, jsonb_build_object('sku', (random() * 20000)::integer, 'gift', NULL)) END)
FROM (SELECT n, (array['view', 'view', 'view', 'search', 'order'])[1 + (random() * 4)::integer] AS kind, floor(random() * random() * :words)::integer AS w
      FROM generate_series(1, (1100 * :megabytes)::bigint) AS n) AS happening
JOIN words AS w ON w.id = happening.w;

INSERT INTO documents
SELECT md5(random()::text)::uuid, 'About ' || n, body, timestamptz '2026-01-01 00:00+00' + random() * interval '300 days'
FROM generate_series(1, (200 * :megabytes)::bigint) AS n,
  LATERAL (SELECT string_agg(w.word, ' ') AS body
           FROM (SELECT floor(random() * random() * :words)::integer AS id FROM generate_series(1, 20 + (n * 37 % 320)::integer)) AS pick JOIN words AS w USING (id)) AS writing;

INSERT INTO files (id, name, content)
SELECT n, 'photo-' || n || '.jpg',
  (SELECT string_agg(sha512(convert_to(format('%s %s %s', :seed, n, block), 'UTF8')), '') FROM generate_series(1, 64 + (n % 500)::integer) AS block)
FROM generate_series(:files + 1, :files + 1 + (1.3 * :megabytes)::bigint) AS n;

INSERT INTO measurements
SELECT (random() * 40)::integer, timestamptz '2026-01-01 00:00+00' + n % 400 * interval '1 day' + random() * interval '1 day',
  CASE WHEN random() < 0.99 THEN 15 + round((random() * 10)::numeric, 2)::double precision ELSE 'NaN' END, CASE WHEN random() < 0.9 THEN (random() * 100)::integer END
FROM generate_series(1, (3500 * :megabytes)::bigint) AS n;

INSERT INTO attachments (id, name, object)
SELECT n, 'scan ' || n, lo_from_bytea((700000 + n)::oid, (SELECT string_agg(sha512(convert_to(format('%s %s', n, block % 700), 'UTF8')), '') FROM generate_series(1, 500 + (n % 1000)::integer) AS block))
FROM generate_series(:attachments + 1, :attachments + 1 + (0.6 * :megabytes)::bigint) AS n;

SELECT format('SELECT setval(pg_get_serial_sequence(%L, %L), max(id)) FROM %I', name, 'id', name)
FROM unnest(array['customers', 'orders', 'files', 'attachments']) AS name \gexec
