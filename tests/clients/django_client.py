"""Django: its migrations and ours, up, down and up; then models at work, and what inspectdb finds."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "django_site"))
sys.dont_write_bytecode = True
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django

django.setup()

from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Sum
from parcels.models import Parcel, Sender

call_command("migrate", interactive=False, no_color=True)
call_command("migrate", "parcels", "0001", interactive=False, no_color=True)
call_command("migrate", interactive=False, no_color=True)
call_command("makemigrations", check=True, dry_run=True, no_color=True)
call_command("showmigrations", no_color=True)
call_command("inspectdb", "parcels_parcel", "customers")
call_command("check", databases=["default"], no_color=True)

with transaction.atomic():
    sender = Sender.objects.create(name="second", mail="second@shop.example")
    Parcel.objects.bulk_create(Parcel(sender=sender, weight=n, notes={"n": n}) for n in range(1, 200))
    try:
        with transaction.atomic():
            Sender.objects.create(name="third", mail="SECOND@shop.example")
    except IntegrityError as error:
        print(type(error).__name__, error.__cause__.sqlstate)
print(Sender.objects.annotate(count=Count("parcels"), sum=Sum("parcels__weight")).order_by("id").values_list("count", "sum"))
print(len(list(Parcel.objects.filter(weight__gt=10).iterator(chunk_size=50))))
print(Parcel.objects.select_for_update().filter(notes__n=7).update(weight=8) if connection.in_atomic_block else
      Parcel.objects.filter(notes__n=7).update(weight=8))
print(Sender.objects.get_or_create(name="second")[1], Sender.objects.filter(name="second").delete())
call_command("flush", interactive=False, no_color=True) if "flush" in sys.argv else None
connection.close()
