"""The words by which things are found. Rooms say which of their tables have any: `Searched`."""

import django.db.models.deletion
from django.db import migrations, models

import engineroom.kernel.ids
from engineroom.foundation.tenancy.operations import ClientTable, OwnRows

# Accents fall off (NFKD); what is left in capitals beyond A to Z stays so, and is asked for in several spellings.
WORDS = r"""
CREATE FUNCTION search_words(said text) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog AS $$
  -- O'Neil is "o" and "neil", and, for whoever leaves the apostrophe out, "oneil".
  SELECT DISTINCT left(w, 40)
  FROM (SELECT replace(regexp_replace(normalize(said, NFKD), '[\u0300-\u036f]', '', 'g'), chr(8217), '''')) p (plain)
  CROSS JOIN LATERAL (VALUES (p.plain), (replace(p.plain, '''', ''))) s (spelled)
  CROSS JOIN LATERAL regexp_split_to_table(lower(s.spelled COLLATE "C"), '[\s!-/:-@\[-`{-~]+') w
  WHERE w <> ''
$$;

CREATE FUNCTION keep_search_words() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM foundation_searchword w USING gone g WHERE w.client_id = g.client_id AND w.subject_id = g.id;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    EXECUTE format(
      'INSERT INTO foundation_searchword (id, client_id, kind, subject_id, word) '
      'SELECT gen_random_uuid(), c.client_id, %s, c.id, w FROM changed c CROSS JOIN LATERAL search_words(%s) w',
      TG_ARGV[0], TG_ARGV[1]);
  END IF;
  RETURN NULL;
END $$;
"""

WORDS_BACK = "DROP FUNCTION keep_search_words(); DROP FUNCTION search_words(text);"


class Migration(migrations.Migration):
    dependencies = [("foundation", "0002_guards")]

    operations = [
        migrations.CreateModel(
            name="SearchWord",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=engineroom.kernel.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=30)),
                ("subject_id", models.UUIDField()),
                ("word", models.CharField(db_collation="C", max_length=40)),
                (
                    "client",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="foundation.client",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["client", "kind", "word"], name="search_word"),
                    models.Index(fields=["client", "subject_id"], name="search_word_subject"),
                ],
            },
        ),
        ClientTable("SearchWord"),
        OwnRows("foundation_searchword"),
        migrations.RunSQL(WORDS, WORDS_BACK),
    ]
