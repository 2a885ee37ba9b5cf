-- In another order than that of the alphabet, in which globals.sql has them.
CREATE ROLE platform;
CREATE ROLE billing;
CREATE ROLE analytics;
CREATE ROLE app;
CREATE ROLE web;
GRANT app TO web;
GRANT billing TO analytics;
