-- Run once by the image of PostgreSQL, in the new database, as its superuser. The owner makes the schema and the roles, and
-- the worker and people get what they need and nothing else; their roles are made here so that they can be granted before
-- they are filled.
\set owner_password `cat /run/secrets/owner_password`
\set worker_password `cat /run/secrets/worker_password`
\set people_password `cat /run/secrets/people_password`

create role owner login createrole password :'owner_password';
alter database :"DBNAME" owner to owner;

create role martlet_worker nologin;
create role worker login password :'worker_password' in role martlet_worker;

create role martlet_admin nologin;
create role people login password :'people_password' in role martlet_admin;
