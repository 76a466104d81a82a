"""Diagnosis of trained models."""
