from django.db import models
from django.db.models.functions import Lower


class Sender(models.Model):
    name = models.CharField(max_length=80, unique=True)
    mail = models.EmailField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(Lower("mail"), name="one_sender_a_mail")]


class Parcel(models.Model):
    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, related_name="parcels")
    sent_at = models.DateTimeField(auto_now_add=True, db_index=True)
    weight = models.DecimalField(max_digits=8, decimal_places=3, default=1)
    notes = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["weight"], condition=models.Q(weight__gt=10), name="heavy_parcels")]
