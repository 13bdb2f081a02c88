-- Run once by the image of PostgreSQL, in the new database, as its superuser. The owner makes the schema and the roles, and
-- the worker gets what workers need and nothing else; its role is made here so that it can be granted before it is filled.
\set owner_password `cat /run/secrets/owner_password`
\set worker_password `cat /run/secrets/worker_password`

create role owner login createrole password :'owner_password';
alter database :"DBNAME" owner to owner;

create role martlet_worker nologin;
create role worker login password :'worker_password' in role martlet_worker;
