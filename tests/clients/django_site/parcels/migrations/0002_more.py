from django.db import migrations, models
from django.db.models.functions import Lower


def first_sender(apps, schema_editor):
    apps.get_model("parcels", "Sender").objects.get_or_create(name="first", mail="first@shop.example")


class Migration(migrations.Migration):
    dependencies = [("parcels", "0001_initial")]
    operations = [
        migrations.AddField("Parcel", "notes", models.JSONField(default=dict)),
        migrations.AlterField("Parcel", "weight", models.DecimalField(max_digits=8, decimal_places=3, default=1)),
        migrations.AddIndex(
            "Parcel",
            models.Index(fields=["weight"], condition=models.Q(weight__gt=10), name="heavy_parcels"),
        ),
        migrations.AddConstraint("Sender", models.UniqueConstraint(Lower("mail"), name="one_sender_a_mail")),
        migrations.RunPython(first_sender, migrations.RunPython.noop),
    ]
