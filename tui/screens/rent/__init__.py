"""The Rent screen: offers by the price of a voice, its journey, and what is rented.

May import, of `tui.screens`: `dialogs` and the layers below.
"""
